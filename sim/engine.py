"""The gateware under Verilator as an engine: the exported top, driven by the native pump in this process."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from halfsilver.harness.engine import Identity, Progress, Result
from halfsilver.harness.errors import HalfsilverError, UsageError
from halfsilver.harness.nic.image import build_image
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Counters, Flags, Frame, Output, Tally
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.harness.versions import verilator_version
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Access, Pacing, Pump, PumpRun, read, write

__all__ = ["BUILD_ENIS", "PAUSES", "VerilatorEngine"]

BUILD_ENIS = (1, 4, 16)
"""Interfaces of the builds to choose from when no parameters are given: the smallest that fits is taken."""

PAUSES = 1 / 16
"""Usual probability of a pause, in each clock cycle, at the inputs and at the output."""

_ID = REGISTERS["ID"].reset
_BUSY_POLLS = 10_000
_ETHERTYPE_IPV4 = b"\x08\x00"
_OUTER_IPV4, _OUTER_IPV6 = 50, 70
"""Bytes in front of the copied frame: Ethernet 14, IP 20 or 40, UDP 8, VXLAN 8."""


class VerilatorEngine:
    """Judges frames in the simulated NIC.

    parameters     NicParameters of the build; None: the smallest of ``BUILD_ENIS`` for the first policy
    width          data width in bits, where ``parameters`` is None
    seed           of the random stalls and of undefined bits
    full_rate      offer frames back to back on both inputs; copies may then find the queue full
                   (``congested``). Otherwise frames are offered no faster than copies drain: nothing is
                   congested, and copies leave in input order
    input_stalls   probability of an idle cycle at an input
    output_stalls  probability of a cycle in which the copies' receiver is not ready; both by default ``PAUSES``,
                   and 0 at full rate
    waves          VCD file to write, or None; the variable HALFSILVER_WAVES names one too
    library        the compiled model of ``parameters``, where it is not to be the gateware's as it stands

    The build is made, or found in the cache, by the first ``configure``. Sequence numbers and counters are
    totals since then. Errors: EnvironmentMissing (no compiler), PumpError (the simulated NIC broke a protocol
    or stopped), HalfsilverError (the policy does not fit the build, or the NIC's answers make no sense).
    """

    def __init__(
        self,
        parameters: NicParameters | None = None,
        *,
        width: int = 64,
        seed: int = 0,
        full_rate: bool = False,
        input_stalls: float | None = None,
        output_stalls: float | None = None,
        waves: Path | None = None,
        library: Path | None = None,
    ) -> None:
        self._parameters = parameters
        self._library = library
        self._width = width
        self._seed = seed
        usual = 0.0 if full_rate else PAUSES
        self._pacing = Pacing(
            full_rate=full_rate,
            input_stalls=usual if input_stalls is None else input_stalls,
            output_stalls=usual if output_stalls is None else output_stalls,
        )
        variable = os.environ.get("HALFSILVER_WAVES")
        self._waves = waves if waves is not None or not variable else Path(variable)
        self._pump: Pump | None = None
        self._policy: Policy | None = None
        self._next_sequence = dict.fromkeys(Direction, 0)
        self._counter_plan: list[tuple[int, int]] = []

    def identify(self) -> Identity:
        """What the registers of the NIC say; before the first ``configure`` only what was asked for."""
        if self._pump is None:
            return Identity("verilator", "gateware under Verilator, built when it is configured")
        names = ("ID", "VERSION", "SHAPE", "RULES", "QUEUE")
        words = self._pump.read([REGISTERS.address(name) for name in names])
        fields = {name: REGISTERS.unpack(name, word) for name, word in zip(names, words, strict=True)}
        if words[0] != _ID:
            raise HalfsilverError(f"the NIC's ID register reads {words[0]:#010x}, not {_ID:#010x}")
        parameters = {**fields["SHAPE"], **fields["RULES"], "queue_depth": fields["QUEUE"]["depth"]}
        version = ".".join(str(fields["VERSION"][part]) for part in ("major", "minor", "patch"))
        detail = (
            f"gateware {version}, {parameters['width']} bit, {parameters['enis']} interfaces x "
            f"{parameters['sessions']} sessions x {parameters['rules']} rules, under Verilator "
            f"{verilator_version()}"
        )
        return Identity("verilator", detail, parameters)

    def configure(self, policy: Policy, flags: Flags = DEFAULT_FLAGS) -> int:
        """Write a policy into the shadow tables and commit it; returns the new generation."""
        pump, parameters = self._start(len(policy.interfaces))
        image = build_image(policy, flags, parameters)
        before = self._await_shadow(pump)
        refused = REGISTERS.address("REFUSED_WRITES")
        refused_before, *_ = pump.read([refused])
        pump.write([*image, (REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1))])
        refused_after, generation = pump.read([refused, REGISTERS.address("STATUS")])
        generation = REGISTERS.unpack("STATUS", generation)["generation"]
        if refused_after != refused_before:
            raise HalfsilverError(f"the NIC refused {refused_after - refused_before} table writes")
        if generation != (before + 1) & 0xFFFF:
            raise HalfsilverError(f"after the commit the NIC shows generation {generation}, not {before + 1}")
        self._policy = policy
        return int(generation)

    def pace(self, pacing: Pacing) -> None:
        """Offer the frames of all batches from now on in this way; call it after the first ``configure``."""
        self._pacing = pacing

    def process(self, frames: Sequence[Frame], progress: Progress | None = None) -> Result:
        """Judge a batch. Copies that belong to no mirrored frame, or are missing, are a HalfsilverError."""
        if self._pump is None:
            raise UsageError("the engine has no policy yet: configure comes before process")
        total = len(frames)
        run = self._pump.run(frames, self._pacing, None if progress is None else lambda done: progress(done, total))
        verdicts = self._match_verdicts(frames, run)
        outputs = self._match_copies(frames, verdicts, run)
        if progress is not None:
            progress(total, total)
        return Result(outputs, verdicts, self._read_counters(self._pump), run.cycles)

    def close(self) -> None:
        """End the simulation; a wave file is complete then."""
        if self._pump is not None:
            self._pump.close()
            self._pump = None

    def _start(self, interfaces: int) -> tuple[Pump, NicParameters]:
        """The running NIC and its parameters; builds it the first time."""
        if self._parameters is None:
            enis = next((enis for enis in BUILD_ENIS if enis >= interfaces), BUILD_ENIS[-1])
            self._parameters = NicParameters(width=self._width, enis=enis)
        if self._pump is None:
            parameters = self._parameters
            library = self._library or build_nic(parameters, trace=self._waves is not None)
            self._pump = Pump(library, seed=self._seed, waves=self._waves)
            self._pacing = replace(
                self._pacing, limit_bytes=parameters.queue_depth // 2, limit_frames=parameters.copies // 2
            )
            self._counter_plan = _counter_plan(parameters)
        return self._pump, self._parameters

    def _await_shadow(self, pump: Pump) -> int:
        """Wait until no copy uses the shadow tables; returns the generation."""
        for _ in range(_BUSY_POLLS):
            status = REGISTERS.unpack("STATUS", pump.read([REGISTERS.address("STATUS")])[0])
            if not status["shadow_busy"]:
                return int(status["generation"])
        raise HalfsilverError("the NIC's shadow tables stay busy: a copy of the previous rule set never left")

    def _match_verdicts(self, frames: Sequence[Frame], run: PumpRun) -> list[VerdictRecord]:
        """Records in frame order: within a direction they come in the order of the frames."""
        queues: dict[int, deque[VerdictRecord]] = {direction: deque() for direction in Direction}
        for wire in run.verdicts:
            try:
                record = VerdictRecord.from_bytes(wire)
            except ValueError as error:
                raise HalfsilverError(f"verdict record {wire.hex()} makes no sense: {error}") from None
            queues[record.direction].append(record)
        verdicts = []
        for number, frame in enumerate(frames, 1):
            record = queues[frame.direction].popleft()
            expected = self._next_sequence[frame.direction]
            if record.sequence != expected:
                raise HalfsilverError(
                    f"the verdict of frame {number} of the batch ({frame.direction}) has sequence number "
                    f"{record.sequence}, not {expected}"
                )
            self._next_sequence[frame.direction] = (expected + 1) & 0xFFFFFFFF
            verdicts.append(record)
        return verdicts

    def _match_copies(self, frames: Sequence[Frame], verdicts: Sequence[VerdictRecord], run: PumpRun) -> list[Output]:
        """Which frame each copy belongs to. Paced, copies leave in input order. At full rate the order holds
        within each direction, and the copied bytes tell which direction is next; where they fit both, the
        outer header decides, and where that fits both as well the copies are interchangeable."""
        mirrored = [index for index, record in enumerate(verdicts) if record.verdict is Verdict.MIRRORED]
        if not self._pacing.full_rate:
            return [Output(index, data) for index, data in zip(mirrored, run.copies, strict=True)]
        queues = {direction: deque[int]() for direction in Direction}
        for index in mirrored:
            queues[frames[index].direction].append(index)
        outputs = []
        for data in run.copies:
            heads = [queue[0] for queue in queues.values() if queue]
            best = max(heads, key=lambda index: self._likeness(data, frames[index], verdicts[index]))
            queues[frames[best].direction].popleft()
            outputs.append(Output(best, data))
        return outputs

    def _likeness(self, copy: bytes, frame: Frame, record: VerdictRecord) -> tuple[bool, bool]:
        """Whether a copy has the bytes of the frame, and the destination and VNI of its session."""
        prefix = _OUTER_IPV4 if copy[12:14] == _ETHERTYPE_IPV4 else _OUTER_IPV6
        same_bytes = copy[prefix:] == frame.data[: record.copied]
        return same_bytes, same_bytes and self._is_addressed_to(copy, prefix, record)

    def _is_addressed_to(self, copy: bytes, prefix: int, record: VerdictRecord) -> bool:
        if self._policy is None or record.eni is None or record.session is None:
            return False
        if record.eni >= len(self._policy.interfaces):
            return False
        sessions = self._policy.interfaces[record.eni].sessions
        session = sessions[record.session] if record.session < len(sessions) else None
        if session is None or session.outer is None:
            return False
        macs = session.outer.destination_mac + session.outer.source_mac
        return copy[:12] == macs and int.from_bytes(copy[prefix - 4 : prefix - 1], "big") == session.vni

    def _read_counters(self, pump: Pump) -> Counters:
        plan: list[Access] = []
        for group, index in self._counter_plan:
            plan.append(
                write(REGISTERS.address("COUNTER_ADDRESS"), REGISTERS.pack("COUNTER_ADDRESS", group=group, index=index))
            )
            plan += _READ_COUNTER
        words = iter(pump.access(plan))
        counters = Counters()
        parameters = self._parameters
        assert parameters is not None
        slots = _slots(parameters)
        for group, index in self._counter_plan:
            frames = next(words) | next(words) << 32
            octets = next(words) | next(words) << 32
            if not frames and not octets:
                continue
            tally = Tally(frames, octets)
            if group == _VERDICTS:
                direction, code = divmod(index, 16)
                counters.verdicts[Direction(direction), Verdict(code)] = tally
            elif group == _SESSIONS:
                counters.sessions[divmod(index, 4)] = tally
            else:
                rest, rule = divmod(index, 16)
                rest, session = divmod(rest, 4)
                direction, eni = divmod(rest, slots)
                counters.rules[Direction(direction), eni, session, rule] = tally
        return counters


_VERDICTS, _SESSIONS, _RULES = range(3)

_READ_COUNTER = [
    read(REGISTERS.address(f"COUNTER_{part}")) for part in ("FRAMES_LOW", "FRAMES_HIGH", "BYTES_LOW", "BYTES_HIGH")
]


def _slots(parameters: NicParameters) -> int:
    """Interfaces rounded up to a power of two, as the counters are addressed."""
    return 1 << int(parameters.enis - 1).bit_length()


def _counter_plan(parameters: NicParameters) -> list[tuple[int, int]]:
    """(group, index) of every counter of a build."""
    plan = [(_VERDICTS, direction * 16 + verdict) for direction in Direction for verdict in Verdict]
    for eni in range(parameters.enis):
        for session in range(parameters.sessions):
            plan.append((_SESSIONS, eni * 4 + session))
            for direction in Direction:
                base = ((direction * _slots(parameters) + eni) * 4 + session) * 16
                plan += [(_RULES, base + rule) for rule in range(parameters.rules)]
    return plan
