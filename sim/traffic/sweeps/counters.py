"""Snapshots of the counters in the middle of traffic, and each index of every group, those of no counter too."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.law import LONGEST_FRAME
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame, Port, Tally
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.counters import CounterGroupCode, counter_index
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.register_map import WORD_BITS
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Pacing, Pump, PumpRun, await_at, hold_at, read, write, write_at
from halfsilver.sim.traffic.chance import happens
from halfsilver.sim.traffic.sweeps.octets import some_frames, transparent

__all__ = ["check_counters"]

SNAPSHOTS = 10
CROWDS = ((20, 30), (60, 0), (3000, 6), (0, 40), (3, 50))
"""Tiny and whole frames of each direction around a snapshot, in turn; once more than the sums of a pass hold."""

SPARSE, LONGEST_GAP = 12, 300
"""Whole frames of each direction that come now and then, and the most clocks between two of them: at a snapshot one
direction is idle, and the other perhaps not."""

STALLS = (0.0, 0.5, 0.0, 0.9)
"""Of the outputs, in turn: copies find room, and do not; frames leave at once, and long after they have entered."""

INSIDE = {Direction.INGRESS: 4, Direction.EGRESS: 300}
"""Frames of one byte that come while the outputs take nothing; egress has room for as many as a copy has beats."""

HELD = 600
"""Clock cycles for which nothing is taken behind the snapshot: its instant is within them."""

LONGEST = 2
"""Frames of the most bytes, one behind the other, in front of a snapshot."""

IDLE = 10
"""Clocks, at most, in which the bus stands still between an access and the next."""

_CLOCKS_EACH = 16
"""Of a frame's verdict, at most."""

_TAKE = REGISTERS.address("SNAPSHOT"), REGISTERS.pack("SNAPSHOT", take=1)
_STATUS, _BUSY = REGISTERS.address("SNAPSHOT_STATUS"), REGISTERS.pack("SNAPSHOT_STATUS", busy=1)
_ADDRESS = REGISTERS.address("COUNTER_ADDRESS")
INDEX_BITS = REGISTERS["COUNTER_ADDRESS"].field("index").width
_VALUES = [REGISTERS.address(f"COUNTER_{part}") for part in ("FRAMES_LOW", "FRAMES_HIGH", "BYTES_LOW", "BYTES_HIGH")]

WAYS = {Direction.INGRESS: (Port.NETWORK_IN, Port.HOST_OUT), Direction.EGRESS: (Port.HOST_IN, Port.NETWORK_OUT)}

_IDLE = Pacing(full_rate=True)

Place = tuple[CounterGroupCode, int]
"""Group and index."""

Counts = dict[Place, Tally]
"""Of some counters."""


def check_counters(
    parameters: NicParameters,
    seed: int,
    library: Path | None = None,
    snapshots: int = SNAPSHOTS,
    inside: Mapping[Direction, int] = INSIDE,
    longest: int = LONGEST,
) -> None:
    """HalfsilverError says which counter is not that of the frames that a snapshot is of."""
    rng = random.Random(f"counters {seed}")
    pump = Pump(library or build_nic(parameters), seed=seed)
    try:
        policy = transparent(rng, parameters)
        Driver(pump).load(policy)
        card = _Card(pump, parameters)
        for number in range(snapshots):
            card.snapshot(rng, policy, CROWDS[number % len(CROWDS)], STALLS[number % len(STALLS)])
            card.snapshot(rng, policy, (0, SPARSE), 0.0, LONGEST_GAP)
        for way, count in inside.items():
            card.snapshot_inside(rng, [Frame(rng.randbytes(1), way) for _ in range(count)])
        card.snapshot_behind([Frame(bytes(LONGEST_FRAME), Direction.INGRESS)] * longest)
        card.compare_all(rng)
        card.compare_at_leisure(rng)
    finally:
        pump.close()


class _Card:
    """A card, and all that has passed it."""

    def __init__(self, pump: Pump, parameters: NicParameters) -> None:
        self._pump = pump
        self._indices = {
            group: counter_index(group, parameters.eni_bits, parameters.rule_bits) for group in CounterGroupCode
        }
        self._beat_bytes, self._longest_copy = parameters.beat_bytes, parameters.cut_copies
        self._passed: dict[Direction, list[tuple[Frame, VerdictRecord]]] = {way: [] for way in Direction}
        self._copies: list[int] = []
        self._taken = 0
        self._counts: Counts = {}

    def snapshot(
        self, rng: random.Random, policy: Policy, crowd: tuple[int, int], stalls: float, longest_gap: int = 0
    ) -> None:
        """Anywhere in a batch, asked for once or twice: of the first so many frames of each direction, and whole."""
        tiny, whole = crowd
        frames = some_frames(rng, policy, whole, whole)
        frames += [Frame(rng.randbytes(rng.randint(1, 13)), way) for way in Direction for _ in range(tiny)]
        rng.shuffle(frames)
        frames = [Frame(each.data, each.direction, happens(rng, 8), happens(rng, 8)) for each in frames]
        starts = _starts(rng, frames, longest_gap)
        cycle = rng.randrange(max(sum(len(each.data) for each in frames) // self._beat_bytes // 2, max(starts)))
        asked = rng.choice((1, 1, 2))
        schedule = [write_at(cycle, *_TAKE)] * asked
        schedule.append(await_at(cycle, _STATUS, _BUSY, 0))
        pacing = Pacing(full_rate=True, output_stalls=stalls)
        self._judge(frames, self._pump.run(frames, pacing, schedule=schedule, starts=starts), cycle, asked)

    def snapshot_inside(self, rng: random.Random, frames: Sequence[Frame]) -> None:
        """When as many as find room have entered, and none has left."""
        cycle = len(frames) * _CLOCKS_EACH + rng.randrange(HELD)
        schedule = [hold_at(0, *Direction), write_at(cycle, *_TAKE), hold_at(cycle + HELD)]
        schedule.append(await_at(cycle + HELD, _STATUS, _BUSY, 0))
        run = self._pump.run(frames, Pacing(full_rate=True, timeout=2 * cycle + 20_000), schedule=schedule)
        self._judge(frames, run, 0, 1)

    def snapshot_behind(self, frames: Sequence[Frame]) -> None:
        """When all of them have passed."""
        run = self._pump.run(frames, _IDLE)
        self._pump.run([], _IDLE, schedule=[write_at(0, *_TAKE), await_at(0, _STATUS, _BUSY, 0)])
        self._judge(frames, run, 0, 1)

    def _judge(self, frames: Sequence[Frame], run: PumpRun, cycle: int, asked: int) -> None:
        """All counters, as they were at the instant, which was behind the cycle."""
        status = REGISTERS.unpack("SNAPSHOT_STATUS", self._pump.read([_STATUS])[0])
        # Asked for again behind the instant of the first, there is one more.
        if status["busy"] or not 1 <= status["taken"] - self._taken <= asked:
            raise HalfsilverError(f"{asked} snapshots after {self._taken} of them the status is {status}")
        self._taken = status["taken"]
        least = self._note(frames, run, cycle)
        self._counts = {}
        for way, (enters, leaves) in WAYS.items():
            number = sum(
                each.frames for each in self._read([self._port(enters, bad) for bad in (False, True)]).values()
            )
            if not least[way] <= number <= len(self._passed[way]):
                raise HalfsilverError(f"{way}: {number} of {len(self._passed[way])} frames, at least {least[way]} due")
            for frame, record in self._passed[way][:number]:
                self._count(frame, record, (enters, leaves))
        out = self._port(Port.COPIES_OUT, False)
        left = self._read([out])[out].frames
        self._add(out, left, sum(self._copies[:left]))
        self._compare([place for group, index in self._indices.items() for place in _places(group, index.width)])

    def _note(self, frames: Sequence[Frame], run: PumpRun, cycle: int) -> dict[Direction, int]:
        """The batch has passed; returns how many frames of each direction had entered wholly before the cycle."""
        records = [VerdictRecord.from_bytes(wire) for wire in run.verdicts]
        begin = min(each.entered for each in run.passed)
        least = {}
        for way, passed in self._passed.items():
            entered = sorted(each.entered for each in run.passed if frames[each.frame].direction is way)
            least[way] = len(passed) + sum(following - begin < cycle for following in entered[1:])
            its = [frame for frame in frames if frame.direction is way]
            passed += zip(its, [record for record in records if record.direction is way], strict=True)
        self._copies += [len(copy) for copy in run.copies]
        return least

    def _count(self, frame: Frame, record: VerdictRecord, ports: Sequence[Port]) -> None:
        """All counters that docs/mirroring.md 9.2 to 9.4 and 9.7 have for a frame; only the build cuts copies."""
        octets = len(frame.data)
        way = record.direction
        for port in ports:
            self._add(self._port(port, frame.bad), 1, octets)
        if record.verdict in (Verdict.MIRRORED, Verdict.CONGESTED):
            octets = min(octets, self._longest_copy)
        self._add(self._place(CounterGroupCode.VERDICT, verdict=record.verdict, direction=way), 1, octets)
        if record.session is None:
            return
        place = {"session": record.session, "eni": record.eni, "direction": way}
        if record.verdict in (Verdict.MIRRORED, Verdict.CONGESTED):
            skipped = record.verdict is Verdict.CONGESTED
            self._add(self._place(CounterGroupCode.SESSION, skipped=skipped, **place), 1, octets)
        if record.rule is not None:
            self._add(self._place(CounterGroupCode.RULE, rule=record.rule, **place), 1, octets)

    def _place(self, group: CounterGroupCode, **values: int | None) -> Place:
        return group, self._indices[group].pack(**{name: value or 0 for name, value in values.items()})

    def _port(self, port: Port, bad: bool) -> Place:
        return self._place(CounterGroupCode.PORT, port=port, bad=bad)

    def _add(self, place: Place, frames: int, octets: int) -> None:
        tally = self._counts.setdefault(place, Tally())
        tally.frames += frames
        tally.octets += octets

    def compare_all(self, rng: random.Random) -> None:
        """Indices with any higher bit set, which are no counter's: 0."""
        beyond = []
        for group, index in self._indices.items():
            for bit in range(index.width, INDEX_BITS):
                beyond += [(group, place | 1 << bit) for _, place in rng.sample(sorted(self._counts), 2)]
        self._compare(beyond)

    def _compare(self, places: Iterable[Place]) -> None:
        for place, found in self._read(list(places)).items():
            due = self._counts.get(place, Tally())
            if found != due:
                raise HalfsilverError(f"{place[0].name.lower()} counter {place[1]:#x} is {found}, not {due}")

    def compare_at_leisure(self, rng: random.Random) -> None:
        """One by one, with any few clocks between the address and each word."""
        counted = sorted(place for place, tally in self._counts.items() if tally.frames)
        for clocks in range(IDLE):
            for group, index in rng.sample(counted, min(len(counted), IDLE)):
                address = REGISTERS.pack("COUNTER_ADDRESS", group=group, index=index)
                self._pump.access([write(_ADDRESS, address)])
                words = []
                for value in _VALUES:
                    self._pump.run([], _IDLE, schedule=[write_at(clocks, _ADDRESS, address)])
                    words += self._pump.read([value])
                if (found := _tally(words)) != self._counts[group, index]:
                    due = self._counts[group, index]
                    raise HalfsilverError(f"{group.name.lower()} counter {index:#x}, rests between: {found}, not {due}")

    def _read(self, places: Sequence[Place]) -> Counts:
        """All in one go."""
        plan = []
        for group, index in places:
            plan.append(write(_ADDRESS, REGISTERS.pack("COUNTER_ADDRESS", group=group, index=index)))
            plan += [read(address) for address in _VALUES]
        words = self._pump.access(plan)
        found = {}
        for number, place in enumerate(places):
            found[place] = _tally(words[len(_VALUES) * number :][: len(_VALUES)])
        return found


def _tally(words: Sequence[int]) -> Tally:
    """Of the words at ``_VALUES``."""
    frames_low, frames_high, octets_low, octets_high = words
    return Tally(frames_low | frames_high << WORD_BITS, octets_low | octets_high << WORD_BITS)


def _places(group: CounterGroupCode, bits: int) -> list[Place]:
    return [(group, index) for index in range(1 << bits)]


def _starts(rng: random.Random, frames: Sequence[Frame], longest_gap: int) -> list[int]:
    """Cycles before which the frames do not start, each so many behind the one before it in its direction."""
    ends = dict.fromkeys(Direction, 0)
    starts = []
    for frame in frames:
        starts.append(ends[frame.direction])
        ends[frame.direction] += rng.randint(0, longest_gap)
    return starts
