"""What ``halfsilver init`` tells: what was found in captures, what was chosen, and how it fared when it was tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from halfsilver.harness.golden.parse import Kind
from halfsilver.harness.propose.sources import Sources
from halfsilver.harness.propose.survey import Survey, is_group
from halfsilver.harness.report.tables import plural, share, table
from halfsilver.harness.verdict import Service, Verdict

__all__ = ["Trial", "account_to_json", "render_choice", "why_nothing"]


@dataclass(frozen=True)
class Trial:
    """What the golden model makes of the first frames of captures by a policy; ``whole``: they are all there are."""

    frames: int
    verdicts: dict[str, int]
    whole: bool

    @property
    def copies(self) -> int:
        return self.verdicts.get(str(Verdict.MIRRORED), 0)

    def to_json(self) -> dict[str, Any]:
        return {"frames": self.frames, "verdicts": self.verdicts}

    def __str__(self) -> str:
        rest = ", ".join(f"{count:,} {name}" for name, count in self.verdicts.items() if name != str(Verdict.MIRRORED))
        return (
            f"tried on {'' if self.whole else 'the first '}{plural(self.frames, 'frame')}: "
            f"{self.copies:,} copied ({share(self.copies, self.frames)}){f'; {rest}' if rest else ''}"
        )


def why_nothing(survey: Survey) -> str:
    """What there is in captures in which rules may look at nothing."""
    if not survey.frames:
        return "holds no frame"
    services = [f"{count:,} {each}" for each, count in survey.services.items() if each is not Service.NONE]
    kinds = [f"{count:,} {kind.value}" for kind, count in survey.kinds.items() if kind in (Kind.NOT_IP, Kind.MALFORMED)]
    return f"{plural(survey.frames, 'frame')}, of which none may be mirrored ({', '.join(services + kinds)})"


def render_choice(survey: Survey, sources: Sources) -> Iterator[str]:
    """Lines for people: the captures, and a table of the interfaces chosen."""
    yield (
        f"{plural(survey.frames, 'frame')}, {survey.eligible:,} of which rules may look at; "
        f"{plural(len(survey.stations), 'station')} with a MAC address"
    )
    rows = [
        (
            source.station.mac.hex(":"),
            source.station.address(4) or source.station.address(6) or "-",
            "router" if source.station.is_router else "host",
            source.station.received,
            source.station.sent,
            source.gained,
            _vlans(source.station.vlans),
        )
        for source in sources.chosen
    ]
    if rows:
        header = ("MAC", "address", "taken for", "ingress", "egress", "adds", "VLAN")
        yield ""
        yield table(header, rows, right="345")
    else:
        yield "no frame has a MAC address that an interface can have; one is made up, and --tap gives it every frame"
    if sources.missed:
        of_all = share(sources.missed, sources.unicast)
        yield f"{plural(sources.missed, 'unicast frame')} ({of_all}) of others" + (
            ", which --tap gives to the first" if sources.tap and rows else ""
        )
    groups = sum(count for (destination, _), count in survey.pairs.items() if is_group(destination))
    if groups and rows:
        yield f"{plural(groups, 'frame')} to groups: those that no interface above sent are the first one's ingress"


def _vlans(vlans: set[tuple[int, ...]]) -> str:
    """``-`` for frames without a tag; two tags with a point between them."""
    return ", ".join(".".join(map(str, tags)) or "-" for tags in sorted(vlans))


def account_to_json(survey: Survey, sources: Sources, trial: Trial, command: str) -> dict[str, Any]:
    """The same for programs; ``command`` is the next one."""
    return {
        "frames": survey.frames,
        "eligible": survey.eligible,
        "stations": len(survey.stations),
        "sources": [
            {
                "mac": source.station.mac.hex(":"),
                "ipv4": _text(source.station.address(4)),
                "ipv6": _text(source.station.address(6)),
                "router": source.station.is_router,
                "received": source.station.received,
                "sent": source.station.sent,
                "gained": source.gained,
                "vlans": sorted(source.station.vlans),
            }
            for source in sources.chosen
        ],
        "missed": sources.missed,
        "tap": sources.tap,
        "trial": trial.to_json(),
        "next": command,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)
