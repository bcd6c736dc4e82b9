"""An engine's counters, as JSON for programs and as tables for people, with AWS ids; and whether their sums meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Port, Tally
from halfsilver.harness.report.tables import table
from halfsilver.harness.report.verdict_lines import names_of
from halfsilver.harness.verdict import Direction, Verdict

__all__ = ["Balance", "balances", "counters_to_json", "render_counters"]


@dataclass(frozen=True)
class Balance:
    """Two sums that must be one, of frames and, where both count them, of bytes (``docs/mirroring.md`` section 9)."""

    names: tuple[str, str]
    frames: tuple[int, int]
    octets: tuple[int, int] | None = None

    @property
    def holds(self) -> bool:
        return self.frames[0] == self.frames[1] and (self.octets is None or self.octets[0] == self.octets[1])

    def __str__(self) -> str:
        sides = [f"{name} {count:,}" for name, count in zip(self.names, self.frames, strict=True)]
        if self.octets is not None:
            sides = [f"{side} ({octets:,} bytes)" for side, octets in zip(sides, self.octets, strict=True)]
        return " = ".join(sides) if self.holds else f"{' and '.join(sides)}: NOT THE SAME"


def balances(counters: Counters, offered: Mapping[Direction, int], *, guarded: bool = False) -> list[Balance]:
    """What must meet at the end of a run, when every copy has left; ``offered`` are frames, by direction.

    ``guarded``: the policy has lists, so that ingress that is dropped goes no further.
    """
    ports = {port: _sum(tally for (at, _), tally in counters.ports.items() if at is port) for port in Port}
    sent, copies = _sum(counters.sessions.values()), ports[Port.COPIES_OUT]
    verdicts = {
        verdict: _sum(tally for (_, of), tally in counters.verdicts.items() if of is verdict)
        for verdict in (Verdict.MIRRORED, Verdict.CONGESTED)
    }
    to_host = "host out", ports[Port.HOST_OUT]
    if guarded:
        dropped = counters.verdicts.get((Direction.INGRESS, Verdict.DROPPED), Tally())
        to_host = "host out + dropped", _sum([ports[Port.HOST_OUT], dropped])
    return [
        *(
            Balance((f"{way} offered", "sum over verdicts"), (count, _judged(counters, way).frames))
            for way, count in offered.items()
        ),
        _meet("network in", ports[Port.NETWORK_IN], *to_host),
        _meet("host in", ports[Port.HOST_IN], "network out", ports[Port.NETWORK_OUT]),
        _meet("mirrored", verdicts[Verdict.MIRRORED], "sent, of all sessions", sent),
        _meet("congested", verdicts[Verdict.CONGESTED], "skipped, of all sessions", _sum(counters.skipped.values())),
        Balance(("sent", "copies out"), (sent.frames, copies.frames)),  # not bytes: copies have outer headers
    ]


def _sum(tallies: Iterable[Tally]) -> Tally:
    kept = list(tallies)
    return Tally(sum(tally.frames for tally in kept), sum(tally.octets for tally in kept))


def _judged(counters: Counters, way: Direction) -> Tally:
    return _sum(tally for (direction, _), tally in counters.verdicts.items() if direction is way)


def _meet(name: str, one: Tally, other_name: str, other: Tally) -> Balance:
    return Balance((name, other_name), (one.frames, other.frames), (one.octets, other.octets))


def counters_to_json(counters: Counters, policy: Policy) -> dict[str, list[dict[str, Any]]]:
    """By verdict, session, rule and port, and AWS's metrics; those that are zero are left out."""
    verdicts = [
        {"direction": str(direction), "verdict": str(verdict), **_tally_to_json(tally)}
        for (direction, verdict), tally in sorted(counters.verdicts.items())
    ]
    sessions = []
    for place in sorted(counters.sessions.keys() | counters.skipped.keys()):
        direction, eni, session = place
        names = names_of(policy, direction, eni, session)
        sent, skipped = counters.sessions.get(place, Tally()), counters.skipped.get(place, Tally())
        sessions.append(
            {
                "direction": str(direction),
                "eni": names.eni,
                "session": names.session,
                **_tally_to_json(sent),
                **_tally_to_json(skipped, "skipped_"),
            }
        )
    rules = []
    for (direction, eni, session, rule), tally in sorted(counters.rules.items()):
        names = names_of(policy, direction, eni, session, rule)
        rules.append({"direction": str(direction), **asdict(names), **_tally_to_json(tally)})
    ports = [
        {
            "port": str(port),
            **_tally_to_json(counters.ports.get((port, False), Tally())),
            **_tally_to_json(counters.ports.get((port, True), Tally()), "bad_"),
        }
        for port in sorted({port for port, _ in counters.ports})
    ]
    enis = sorted({eni for _, eni, _ in counters.sessions.keys() | counters.skipped.keys()})
    metrics = [{"eni": names_of(policy, Direction.INGRESS, eni).eni, **counters.metrics(eni)} for eni in enis]
    return {"verdicts": verdicts, "sessions": sessions, "rules": rules, "ports": ports, "metrics": metrics}


def _tally_to_json(tally: Tally, prefix: str = "") -> dict[str, int]:
    return {f"{prefix}frames": tally.frames, f"{prefix}bytes": tally.octets}


_TITLES = {
    "eni": "interface",
    "rule_number": "number",
    "skipped_frames": "skipped",
    "skipped_bytes": "bytes",
    "bad_frames": "bad",
    "bad_bytes": "bytes",
}
"""What a column of a table is called where the member of the JSON has a longer name."""


def render_counters(counters: Counters, policy: Policy) -> str:
    """A table for each group of counters that has any; the same columns as in the JSON."""
    groups = counters_to_json(counters, policy)
    groups["metrics"] = [
        {"eni": entry["eni"], "metric": name, "value": value}
        for entry in groups["metrics"]
        for name, value in entry.items()
        if name != "eni"
    ]
    return "\n\n".join(_table(entries) for entries in groups.values() if entries)


def _table(entries: Sequence[Mapping[str, Any]]) -> str:
    names = list(entries[0])
    right = "".join(str(column) for column, name in enumerate(names) if isinstance(entries[0][name], int))
    rows = [["-" if value is None else value for value in entry.values()] for entry in entries]
    return table([_TITLES.get(name, name) for name in names], rows, right=right)
