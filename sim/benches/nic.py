"""The whole NIC (``halfsilver.hdl.export.AxiNic``) with drivers on every port, judged by the golden model as it runs.

`NicBench` offers frames, loads rule sets over AXI4-Lite, and compares every verdict record, every copy and every
production frame the moment it comes out. The generation in a record says which rule set must explain the frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from halfsilver.harness.golden.model import Model
from halfsilver.harness.nic.image import table_words
from halfsilver.harness.policy.policy import Interface, Policy
from halfsilver.harness.records import Counters, Flags, Frame, Port, Tally
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import Table
from halfsilver.hdl.layout.verdict import records_in_beat
from halfsilver.sim.benches import parameters_of_build
from halfsilver.sim.benches.drivers.axi_lite import Access, AxiLiteMaster
from halfsilver.sim.benches.drivers.axi_stream import BAD, COPY, DROP, AxiStreamSink, AxiStreamSource
from halfsilver.sim.benches.drivers.pace import Pace, always, bursts, now_and_then
from halfsilver.sim.benches.drivers.testbench import Signals, Testbench

__all__ = ["OWN_STREAM", "PACES", "PARAMETERS", "WIDTH", "NicBench", "VerdictMonitor", "start"]

PARAMETERS = parameters_of_build()
WIDTH = PARAMETERS.width
OWN_STREAM = PARAMETERS.copies_leave == "own"

PACES: tuple[tuple[Pace, Pace], ...] = (
    (always, always),
    (now_and_then(0.6), always),
    (always, now_and_then(0.7)),
    (bursts(25), bursts(25)),
)
"""(inputs, output) patterns of pauses."""

_SMALLEST_CHARGE = 64
"""Bytes a frame counts for at least, so that the descriptors of short copies do not run out."""

_RAM_TABLES = (Table.LOOKUP.value, Table.OUTER.value)
"""Tables in block RAM: their words outlive a reset, so only words that change are written again."""

_banks: tuple[dict[tuple[int, int], int], ...] = ({}, {})
"""What the block RAM of each bank holds, for as long as this simulation lives."""


@dataclass(slots=True)
class _Held:
    """A frame's place in its mirror queue: bytes, and whether they are wanted no more."""

    charge: int
    done: bool = False


class VerdictMonitor:
    """Takes the verdict records of every clock: one, or up to two where the port has room for them."""

    def __init__(self, dut: Any, seen: Callable[[VerdictRecord], None]) -> None:
        names = {"data": "m_axis_verdict_tdata", "valid": "m_axis_verdict_tvalid"}
        self._two = hasattr(dut, "m_axis_verdict_tkeep")
        if self._two:
            names["keep"] = "m_axis_verdict_tkeep"
        self._signals = Signals(dut, **names)
        self._seen = seen

    def drive(self) -> None:
        """Nothing to drive: the port has no ready."""

    def sample(self) -> None:
        if self._signals.get("valid"):
            keep = self._signals.get("keep") if self._two else None
            for wire in records_in_beat(self._signals.get("data"), keep):
                self._seen(VerdictRecord.from_bytes(wire))

    def reset(self) -> None:
        """Nothing is kept."""


class NicBench:
    """The NIC, its drivers, and what is expected of it.

    sources    of frames, by their direction
    sinks      where frames of a direction come out
    latencies  clocks from a frame's first beat in to its first beat out, in order, by direction
    full_rate  frames go back to back and ``congested`` is a fair answer where the golden model says ``mirrored``;
               otherwise a frame waits until its copy is sure to find room, and must be mirrored
    """

    def __init__(self, dut: Any) -> None:
        self.sources = {
            Direction.INGRESS: AxiStreamSource(dut, "s_axis_net", "s_axis_net_drop"),
            Direction.EGRESS: AxiStreamSource(dut, "s_axis_host"),
        }
        # Where frames of a direction come out, and where copies do.
        self.sinks = {
            Direction.INGRESS: AxiStreamSink(dut, "m_axis_host", "m_axis_host_drop"),
            Direction.EGRESS: AxiStreamSink(dut, "m_axis_net"),
        }
        self.copies_sink = AxiStreamSink(dut, "m_axis_mirror") if OWN_STREAM else self.sinks[Direction.EGRESS]
        self.registers = AxiLiteMaster(dut)
        self.testbench = Testbench(
            dut,
            *self.sources.values(),
            VerdictMonitor(dut, self._judge),
            *dict.fromkeys((*self.sinks.values(), self.copies_sink)),
            self.registers,
        )
        for direction, source in self.sources.items():
            source.gate, source.sent = self._gate, self._sent
            source.began = partial(self._entered, direction)
        for direction, sink in self.sinks.items():
            sink.received = partial(self._leave, direction)
            sink.began = partial(self._begun, direction)
        if OWN_STREAM:
            self.copies_sink.received = self._compare_copy
        self.full_rate = False
        self._forget()

    def _forget(self) -> None:
        """Nothing is under way, counted or configured."""
        self._offered: dict[Direction, deque[Frame]] = {direction: deque() for direction in Direction}
        self._passing: dict[Direction, deque[Frame]] = {direction: deque() for direction in Direction}
        self._entries: dict[Direction, deque[int]] = {direction: deque() for direction in Direction}
        self._first_out = dict.fromkeys(Direction, 0)
        self.latencies: dict[Direction, list[int]] = {direction: [] for direction in Direction}
        self._copies: dict[Direction, deque[tuple[_Held, bytes]]] = {direction: deque() for direction in Direction}
        self._held: dict[Direction, deque[_Held]] = {direction: deque() for direction in Direction}
        self._unjudged: dict[Direction, deque[_Held]] = {direction: deque() for direction in Direction}
        self._sequence = dict.fromkeys(Direction, 0)
        self.counters = Counters()
        self.records: list[VerdictRecord] = []
        self.generation = 0
        self._models = {0: _model((), Flags(), 0)}

    async def reset(self) -> None:
        """Reset the NIC; all that was under way is gone, and there is no rule set."""
        await self.testbench.reset()
        self._forget()

    # Frames

    def send(self, frames: Iterable[Frame]) -> None:
        """Queue frames at the inputs of their directions."""
        for frame in frames:
            self.sources[frame.direction].send(frame)

    def set_paces(self, inputs: Pace, output: Pace) -> None:
        """Patterns of pauses from now on."""
        for source in self.sources.values():
            source.pace = inputs
        for sink in (*self.sinks.values(), self.copies_sink):
            sink.pace = output

    @property
    def drained(self) -> bool:
        """All frames are offered and judged and have passed, all copies are out."""
        return (
            all(source.idle for source in self.sources.values())
            and not any(self._offered.values())
            and not any(self._passing.values())
            and not any(self._copies.values())
        )

    async def drain(self, limit: int = 400_000) -> None:
        """Wait until everything is through, and see that nothing more comes."""
        await self.testbench.until(lambda: self.drained, "frames, verdicts and copies", limit)
        await self.testbench.step(40)
        for sink in (*self.sinks.values(), self.copies_sink):
            assert not sink.partial, "the beginning of a frame that nobody expects"

    def _gate(self, frame: Frame) -> bool:
        """The queue gives room back in the order of the frames: what waits behind a copy is still held."""
        charge = _charge(frame)
        held = self._held[frame.direction]
        while held and held[0].done:
            held.popleft()
        room = PARAMETERS.queue_depth // 2 - sum(one.charge for one in held)
        if not self.full_rate and held and (room < charge or len(held) >= PARAMETERS.copies // 2):
            return False
        held.append(_Held(charge))
        self._unjudged[frame.direction].append(held[-1])
        return True

    def _sent(self, frame: Frame) -> None:
        self._offered[frame.direction].append(frame)
        self._passing[frame.direction].append(frame)

    # Production

    def _entered(self, direction: Direction) -> None:
        self._entries[direction].append(self.testbench.clock)

    def _begun(self, direction: Direction) -> None:
        self._first_out[direction] = self.testbench.clock

    def _leave(self, direction: Direction, data: bytes) -> None:
        """A production frame is the next one of its direction, every byte and mark; or it is a copy."""
        marks = self.sinks[direction].marks
        if marks & COPY:
            assert direction is Direction.EGRESS and not OWN_STREAM, "a copy leaves where there are none"
            self._compare_copy(data)
            return
        assert self._passing[direction], f"{direction}: a frame that nobody sent: {data.hex()}"
        frame = self._passing[direction].popleft()
        dropped = frame.dropped and direction is Direction.INGRESS
        assert data == frame.data, f"{direction}: {data.hex()} comes out, not {_shown(frame)}"
        assert (bool(marks & BAD), bool(marks & DROP)) == (frame.bad, dropped), f"marks {marks} of {_shown(frame)}"
        self.latencies[direction].append(self._first_out[direction] - self._entries[direction].popleft())
        for port in Port:
            if port.direction is direction:
                self._pass(port, frame.bad, data)

    def _judge(self, record: VerdictRecord) -> None:
        """Compare a record with the golden model's under the rule set that the record names."""
        direction = record.direction
        assert self._offered[direction], f"a verdict without a frame: {record}"
        assert record.generation in self._models, f"there is no generation {record.generation}: {record}"
        frame, held = self._offered[direction].popleft(), self._unjudged[direction].popleft()
        trace = self._models[record.generation].judge(frame, self._sequence[direction])
        self._sequence[direction] += 1
        expected, octets = trace.record, trace.record.copied or trace.record.length
        if self.full_rate and record.verdict is Verdict.CONGESTED and expected.verdict is Verdict.MIRRORED:
            expected = replace(expected, verdict=Verdict.CONGESTED, copied=0)
        assert record == expected, f"{record}, not {expected}, for {_shown(frame)}"
        self.records.append(record)
        _count(self.counters, record, octets)
        if record.verdict is Verdict.MIRRORED:
            assert trace.copy is not None
            self._copies[direction].append((held, trace.copy))
        else:
            held.done = True

    def _compare_copy(self, data: bytes) -> None:
        """A copy is the next one of its direction; which that is, its inner MAC addresses tell."""
        for copies in self._copies.values():
            if copies and copies[0][1] == data:
                held, _ = copies.popleft()
                held.done = True
                self._pass(Port.COPIES_OUT, False, data)
                return
        due = ", or ".join(copies[0][1].hex() for copies in self._copies.values() if copies)
        raise AssertionError(f"copy {data.hex()}, not {due or 'any: none is due'}")

    def _pass(self, port: Port, bad: bool, data: bytes) -> None:
        self.counters.ports.setdefault((port, bad), Tally()).add(min(len(data), 0xFFFF))

    # Registers

    async def access(self, *accesses: Access) -> list[int]:
        """Wait for register accesses; returns the values of those that read. All must be answered OKAY."""
        await self.testbench.until(lambda: self.registers.idle, "the registers", 600_000)
        assert all(access.response == 0 for access in accesses), accesses
        return [access.value or 0 for access in accesses]

    async def read(self, name: str) -> dict[str, int]:
        """Fields of a register."""
        (value,) = await self.access(self.registers.read(REGISTERS.address(name)))
        return dict(REGISTERS.unpack(name, value))

    def write(self, name: str, **fields: int) -> Access:
        """Queue a register write."""
        return self.registers.write(REGISTERS.address(name), REGISTERS.pack(name, **fields))

    async def load(self, policy: Policy, flags: Flags = Flags()) -> None:  # noqa: B008 (frozen)
        """Write a rule set into the shadow bank and commit it; traffic goes on meanwhile."""
        await self.stage(policy, flags)
        await self.commit(policy, flags)

    async def stage(self, policy: Policy, flags: Flags = Flags()) -> list[tuple[int, int, int, int]]:  # noqa: B008 (frozen)
        """Write a rule set into the shadow bank as soon as that is free; returns (bank, table, index, word) of each."""
        status = await self.read("STATUS")
        while status["shadow_busy"]:
            status = await self.read("STATUS")
        shadow = 1 - status["active_bank"]
        bank, written = _banks[shadow], []
        for table, start, words in table_words(policy, flags, PARAMETERS):
            following = -1
            for index, value in enumerate(words, start):
                if table in _RAM_TABLES and bank.get((table, index)) == value:
                    continue
                bank[table, index] = value
                if index != following:
                    self.write("TABLE_ADDRESS", table=table, index=index)
                self.write("TABLE_DATA", value=value)
                following = index + 1
                written.append((shadow, table.value, index, value))
        await self.access()
        return written

    async def commit(self, policy: Policy, flags: Flags = Flags()) -> None:  # noqa: B008 (frozen)
        """Commit what was staged: frames are judged by it from now on, and their records say so."""
        self.generation += 1
        self._models[self.generation] = _model(policy.interfaces, flags, self.generation)
        await self.access(self.write("COMMIT", go=1))
        assert (await self.read("STATUS"))["generation"] == self.generation
        assert (await self.read("REFUSED_WRITES"))["count"] == 0

    async def check_counters(self) -> None:
        """Every counter that there is, of a snapshot, against the sums of the records and of what has passed."""
        await self.take_snapshot()
        plan = list(_counter_places())
        parts = ("FRAMES_LOW", "FRAMES_HIGH", "BYTES_LOW", "BYTES_HIGH")
        accesses = []
        for group, index, _ in plan:
            self.write("COUNTER_ADDRESS", group=group, index=index)
            accesses += [self.registers.read(REGISTERS.address(f"COUNTER_{part}")) for part in parts]
        values = iter(await self.access(*accesses))
        groups: tuple[dict[Any, Tally], ...] = (
            dict(self.counters.verdicts),
            {(0, *key): tally for key, tally in self.counters.sessions.items()}
            | {(1, *key): tally for key, tally in self.counters.skipped.items()},
            dict(self.counters.rules),
            dict(self.counters.ports),
        )
        for group, _, key in plan:
            frames = next(values) | next(values) << 32
            octets = next(values) | next(values) << 32
            tally = groups[group].pop(key, Tally())
            assert (frames, octets) == (tally.frames, tally.octets), (
                f"counter {key} of group {group}: {frames} frames, {octets} bytes, not {tally}"
            )
        assert not any(groups), f"counted, but there is no counter: {groups}"
        offered = {
            direction: sum(tally.frames for (place, _), tally in self.counters.verdicts.items() if place is direction)
            for direction in Direction
        }
        assert offered == self._sequence, f"offered {self._sequence}, verdicts {offered}"

    async def take_snapshot(self) -> None:
        """Freeze the counters, and wait until they can be read."""
        before = (await self.read("SNAPSHOT_STATUS"))["taken"]
        await self.access(self.write("SNAPSHOT", take=1))
        status = await self.read("SNAPSHOT_STATUS")
        while status["busy"]:
            status = await self.read("SNAPSHOT_STATUS")
        assert status["taken"] == before + 1


async def start(dut: Any) -> NicBench:
    """The NIC after reset."""
    bench = NicBench(dut)
    await bench.reset()
    return bench


def _model(interfaces: Sequence[Interface], flags: Flags, generation: int) -> Model:
    """The golden model of this build."""
    limits = {"extension_headers": PARAMETERS.extension_headers, "longest_copy": PARAMETERS.cut_copies}
    return Model(interfaces, flags, generation, **limits)


def _charge(frame: Frame) -> int:
    """Bytes of the mirror queue that the frame may take."""
    octets = WIDTH // 8
    return max(_SMALLEST_CHARGE, int(-(-len(frame.data) // octets) * octets))


def _shown(frame: Frame) -> str:
    cut = "" if len(frame.data) <= 300 else "..."
    return f"{len(frame.data)} bytes {frame.data[:300].hex()}{cut} bad={frame.bad} dropped={frame.dropped}"


def _count(counters: Counters, record: VerdictRecord, octets: int) -> None:
    """``docs/mirroring.md`` section 9; ``octets`` are those copied, or that would have been, or the frame's."""
    counters.verdicts.setdefault((record.direction, record.verdict), Tally()).add(octets)
    if record.eni is None or record.session is None:
        return
    if record.verdict is Verdict.MIRRORED:
        counters.sessions.setdefault((record.direction, record.eni, record.session), Tally()).add(octets)
    if record.verdict is Verdict.CONGESTED:
        counters.skipped.setdefault((record.direction, record.eni, record.session), Tally()).add(octets)
    if record.rule is not None:
        place = (record.direction, record.eni, record.session, record.rule)
        counters.rules.setdefault(place, Tally()).add(octets)


def _counter_places() -> Iterable[tuple[int, int, tuple[int, ...]]]:
    """(group, index, key in `Counters`) of all counters of the build."""
    rounded = 1 << (PARAMETERS.enis - 1).bit_length()
    for port in Port:
        for bad in (False, True):
            yield 3, port * 2 + bad, (port, bad)
    for direction in Direction:
        for verdict in Verdict:
            yield 0, direction * 16 + verdict, (direction, verdict)
    for eni in range(PARAMETERS.enis):
        for session in range(PARAMETERS.sessions):
            for direction in Direction:
                for skipped in range(2):
                    index = ((skipped * 2 + direction) * rounded + eni) * 4 + session
                    yield 1, index, (skipped, direction, eni, session)
                for rule in range(PARAMETERS.rules):
                    index = ((direction * rounded + eni) * 4 + session) * 16 + rule
                    yield 2, index, (direction, eni, session, rule)
