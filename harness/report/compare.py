"""Do two engines agree? Compares copies, verdict records and counters of one batch. A pure function."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TypeVar

from halfsilver.harness.engine import Result
from halfsilver.harness.engines.registry import REFERENCE, VERILATOR
from halfsilver.harness.records import Counters, Output, Port, Tally
from halfsilver.harness.report.header_fields import field_at
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord

__all__ = ["Difference", "compare"]

_Key = TypeVar("_Key", bound=Hashable)
_RECORD_FIELDS = tuple(field.name for field in fields(VerdictRecord))


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement.

    ``frame``: number of the frame, from 1, None for counters. ``what``: ``verdict``, ``copy`` or ``counter``.
    ``field``: record field, header field or counter. ``offset``: byte in the outer frame, for copies.
    ``first`` and ``second``: the two values, in words.
    """

    frame: int | None
    what: str
    field: str
    first: str
    second: str
    offset: int | None = None

    def describe(self, names: tuple[str, str] = (REFERENCE, VERILATOR)) -> str:
        """One line for people."""
        values = f"{names[0]} {self.first}, {names[1]} {self.second}"
        if self.frame is None:
            return f"{self.what} {self.field}: {values}"
        if self.offset is not None:
            return f"frame {self.frame}: {self.what} byte {self.offset}, {self.field}: {values}"
        return f"frame {self.frame}: {self.field}: {values}"


def compare(first: Result, second: Result, *, first_frame: int = 1, congestion: bool = False) -> list[Difference]:
    """All differences of two results for the same batch, counters last; empty if they agree.

    ``first_frame`` is the number of the batch's first frame. With ``congestion`` the second engine may report
    ``congested`` where the first mirrors: such a frame must have no copy and name the same ENI, session and
    rule, and what it took from ``mirrored`` must stand under ``congested`` in the counters.
    """
    differences: list[Difference] = []
    if len(first.verdicts) != len(second.verdicts):
        differences.append(Difference(None, "verdicts", "count", str(len(first.verdicts)), str(len(second.verdicts))))
    copies_first, copies_second = _by_frame(first.outputs), _by_frame(second.outputs)
    for index, (one, two) in enumerate(zip(first.verdicts, second.verdicts, strict=False)):
        number = first_frame + index
        lost = congestion and one.verdict is Verdict.MIRRORED and two.verdict is Verdict.CONGESTED
        allowed = {"verdict", "copied"} if lost else set()
        for name in _RECORD_FIELDS:
            left, right = getattr(one, name), getattr(two, name)
            if left != right and name not in allowed:
                differences.append(Difference(number, "verdict", name, _word(left), _word(right)))
        expected = [] if lost else copies_first.pop(index, [])
        if lost:
            copies_first.pop(index, None)
            if two.copied:
                differences.append(Difference(number, "verdict", "copied", "0 when congested", str(two.copied)))
        differences += _compare_copies(number, expected, copies_second.pop(index, []))
    for index in sorted(copies_first.keys() | copies_second.keys()):
        differences += _compare_copies(first_frame + index, copies_first.get(index, []), copies_second.get(index, []))
    return differences + _compare_counters(first.counters, second.counters, congestion)


def _by_frame(outputs: Iterable[Output]) -> dict[int, list[bytes]]:
    copies: dict[int, list[bytes]] = {}
    for output in outputs:
        copies.setdefault(output.frame, []).append(output.data)
    return copies


def _word(value: object) -> str:
    return "none" if value is None else str(value)


def _compare_copies(number: int, first: list[bytes], second: list[bytes]) -> list[Difference]:
    if len(first) != len(second):
        return [Difference(number, "copy", "copies", str(len(first)), str(len(second)))]
    differences = []
    for one, two in zip(first, second, strict=True):
        if one == two:
            continue
        offset = next(
            (at for at, (left, right) in enumerate(zip(one, two, strict=False)) if left != right),
            min(len(one), len(two)),
        )
        if offset < min(len(one), len(two)):
            values = f"{one[offset]:#04x}", f"{two[offset]:#04x}"
        else:
            values = f"{len(one)} bytes", f"{len(two)} bytes"
        longer = one if len(one) >= len(two) else two
        differences.append(Difference(number, "copy", field_at(longer, offset), *values, offset=offset))
    return differences


def _compare_counters(first: Counters, second: Counters, congestion: bool) -> list[Difference]:
    if not congestion:
        return (
            _tables("verdict counter", first.verdicts, second.verdicts)
            + _tables("session counter", first.sessions, second.sessions)
            + _tables("counter of skipped copies", first.skipped, second.skipped)
            + _tables("rule counter", first.rules, second.rules)
            + _tables("port counter", first.ports, second.ports)
        )
    differences = []
    for direction in Direction:
        one, two = (_merge_congested(counters, direction) for counters in (first, second))
        differences += _tables(f"{direction} counter (mirrored and congested together)", one, two)
    differences += _tables("session counter (sent and skipped together)", _due(first), _due(second))
    differences += _tables("rule counter", first.rules, second.rules)
    copies = Port.COPIES_OUT, False
    differences += _tables("port counter", *(_without(counters.ports, copies) for counters in (first, second)))
    congested = _sum((tally for (_, of), tally in second.verdicts.items() if of is Verdict.CONGESTED), Tally())
    skipped = _sum(second.skipped.values(), Tally())
    if congested != skipped:
        differences.append(
            Difference(None, "counter of skipped copies", "sum", f"{_tally(congested)} congested", _tally(skipped))
        )
    sent, left = _sum(second.sessions.values(), Tally()).frames, second.ports.get(copies, Tally()).frames
    if sent != left:
        differences.append(Difference(None, "port counter", str(copies[0]), f"{sent} sent by the sessions", str(left)))
    return differences


def _due(counters: Counters) -> dict[tuple[Direction, int, int], Tally]:
    """Copies that were due: sent, and skipped."""
    due: dict[tuple[Direction, int, int], Tally] = {}
    for table in (counters.sessions, counters.skipped):
        for key, tally in table.items():
            _sum([tally], due.setdefault(key, Tally()))
    return due


def _without(table: Mapping[_Key, Tally], key: _Key) -> dict[_Key, Tally]:
    return {each: tally for each, tally in table.items() if each != key}


def _merge_congested(counters: Counters, direction: Direction) -> dict[Verdict, Tally]:
    merged: dict[Verdict, Tally] = {}
    for (way, verdict), tally in counters.verdicts.items():
        if way is direction:
            key = Verdict.MIRRORED if verdict is Verdict.CONGESTED else verdict
            _sum([tally], merged.setdefault(key, Tally()))
    return merged


def _sum(tallies: Iterable[Tally], total: Tally) -> Tally:
    for tally in tallies:
        total.frames += tally.frames
        total.octets += tally.octets
    return total


def _tally(tally: Tally) -> str:
    return f"{tally.frames} frames, {tally.octets} bytes"


def _tables(what: str, first: Mapping[_Key, Tally], second: Mapping[_Key, Tally]) -> list[Difference]:
    zero = Tally()
    differences = []
    for key in [*first, *(key for key in second if key not in first)]:
        one, two = first.get(key, zero), second.get(key, zero)
        if one != two:
            name = "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)
            differences.append(Difference(None, what, name, _tally(one), _tally(two)))
    return differences
