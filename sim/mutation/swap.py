"""Rule-set swaps under traffic, driven by hand, clock by clock: the batch-wise pump only swaps between batches.

Frames stream into both inputs while the host commits the other rule set and at once tries to overwrite the bank
that was left. Every frame must be judged, and its copy addressed, wholly by the rule set of its generation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.nic.image import build_image
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import Table
from halfsilver.sim.mutation.traffic import open_policy, swap_frames
from halfsilver.sim.pump import INPUTS, Pacing, Pump, await_at

__all__ = ["check_swaps"]

ROUNDS = 4
FRAMES = 30
"""Frames of each direction in a round."""

OVERWRITES = 8
"""Words of the old bank that the host tries to overwrite right after a commit."""

DRAIN = 400
"""Clocks without any output after which a round is over."""


def check_swaps(library: Path, parameters: NicParameters, chance: Random) -> None:
    """Several swaps; the first thing that is wrong is a HalfsilverError."""
    policies = [open_policy(mark) for mark in (0x5A, 0xC3)]
    commit = (REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1))
    pump = Pump(library, seed=chance.getrandbits(16))
    pump.write([*build_image(policies[0], Flags(), parameters), commit])
    # As docs/tables.md has it: a bank is written when nothing uses it any more.
    free = await_at(0, REGISTERS.address("STATUS"), REGISTERS.pack("STATUS", shadow_busy=1), 0)
    pump.run([], Pacing(), schedule=[free])
    pump.write(build_image(policies[1], Flags(), parameters))
    start = REGISTERS.pack("TABLE_ADDRESS", table=Table.OUTER.value, index=0)
    overwrites = [(REGISTERS.address("TABLE_ADDRESS"), start)]
    overwrites += [(REGISTERS.address("TABLE_DATA"), 0)] * OVERWRITES
    judged = dict.fromkeys(Direction, 0)
    for number in range(ROUNDS):
        frames = {way: swap_frames(chance, FRAMES, way) for way in Direction}
        wires = _Wires(pump.simulation, frames, chance, parameters.beat_bytes)
        wires.run([commit, *overwrites], commit_after=chance.randint(FRAMES // 3, FRAMES // 2))
        generations = {number + 1 + later: policies[(number + later) % 2] for later in range(2)}
        _check(parameters, wires, frames, generations, judged)
    pump.close()


def _check(
    parameters: NicParameters,
    wires: _Wires,
    frames: dict[Direction, list[Frame]],
    generations: dict[int, Policy],
    judged: dict[Direction, int],
) -> None:
    models = {}
    for generation, policy in generations.items():
        models[generation] = GoldenEngine(toeplitz_key=parameters.hash_key)
        for _ in range(generation):
            models[generation].configure(policy)
    copies: list[bytes] = []
    for way in Direction:
        if wires.passed[way] != [frame.data for frame in frames[way]]:
            raise HalfsilverError(f"swap: {way} production does not come out as it went in")
        records = [record for record in wires.verdicts if record.direction is way]
        if len(records) != len(frames[way]):
            raise HalfsilverError(f"{len(frames[way])} {way} frames, {len(records)} verdicts")
        seen = [record.generation for record in records]
        if seen != sorted(seen) or set(seen) != set(generations):
            raise HalfsilverError(f"{way} generations {seen} in a swap from {min(generations)} to {max(generations)}")
        for record, frame in zip(records, frames[way], strict=True):
            trace = models[record.generation].explain(frame)
            wanted = replace(trace.record, sequence=judged[way])
            judged[way] += 1
            if record.verdict is Verdict.CONGESTED and wanted.verdict is Verdict.MIRRORED:
                continue
            if record != wanted:
                raise HalfsilverError(f"{way} frame of a swap: {record}, not {wanted}")
            if trace.copy is not None:
                copies.append(trace.copy)
    if sorted(copies) != sorted(wires.copies):
        wrong = sum(copy not in copies for copy in wires.copies)
        raise HalfsilverError(
            f"swap: {wrong} of {len(wires.copies)} copies are not those of their generation, {len(copies)} expected"
        )


class _Wires:
    """The ports of the NIC, and what came out of them in ``run``."""

    def __init__(self, simulation: Any, frames: dict[Direction, list[Frame]], chance: Random, beat_bytes: int) -> None:
        self.verdicts: list[VerdictRecord] = []
        self.copies: list[bytes] = []
        self._io = simulation.io
        self._chance = chance
        self._beats = {way: deque(_beats(queue, beat_bytes)) for way, queue in frames.items()}
        self.passed: dict[Direction, list[bytes]] = {way: [] for way in Direction}
        self._frame = dict.fromkeys(Direction, b"")
        self._idle = 0

    def run(self, writes: Sequence[tuple[int, int]], commit_after: int) -> None:
        """Send the frames; the writes begin after so many verdicts, and the output stands still meanwhile."""
        io, plan = self._io, deque(writes)
        io.s_axil_wstrb, io.s_axil_bready = 0xF, 1
        while self._idle < DRAIN or plan:
            writing = bool(plan) and len(self.verdicts) >= commit_after
            self._offer()
            io.s_axil_awvalid = io.s_axil_wvalid = int(writing)
            if writing:
                io.s_axil_awaddr, io.s_axil_wdata = plan[0]
            io.m_axis_host_tready = 1
            io.m_axis_net_tready = int(not writing and self._chance.random() < 0.8)
            io.clk = 0
            ready = {way: int(io[f"{prefix}_tready"]) for way, prefix in INPUTS.items()}
            # A write is taken whole here: both halves are offered together until both are accepted.
            accepted = int(io.s_axil_awready) and int(io.s_axil_wready)
            if writing and int(io.s_axil_awready) != int(io.s_axil_wready):
                raise HalfsilverError("the register bus took one half of a write that was offered whole")
            self._idle += 1
            self._observe()
            io.clk = 1
            for way, beats in self._beats.items():
                if beats and ready[way]:
                    beats.popleft()
            if writing and accepted:
                plan.popleft()
            if self._idle > 20 * DRAIN:
                raise HalfsilverError("swap: the register writes are not accepted")
        io.s_axil_awvalid = io.s_axil_wvalid = 0

    def _offer(self) -> None:
        io = self._io
        io.s_axis_net_drop = 0
        for way, prefix in INPUTS.items():
            beats = self._beats[way]
            io[f"{prefix}_tvalid"] = int(bool(beats))
            if beats:
                io[f"{prefix}_tdata"], io[f"{prefix}_tkeep"], io[f"{prefix}_tlast"] = beats[0]
                io[f"{prefix}_tuser"] = 0

    def _observe(self) -> None:
        io = self._io
        if io.m_axis_verdict_tvalid:
            wire = int(io.m_axis_verdict_tdata).to_bytes(16, "little")
            try:
                self.verdicts.append(VerdictRecord.from_bytes(wire))
            except ValueError as error:
                raise HalfsilverError(f"verdict record {wire.hex()} makes no sense: {error}") from None
            self._idle = 0
        self._take(Direction.INGRESS, "m_axis_host")
        self._take(Direction.EGRESS, "m_axis_net")

    def _take(self, way: Direction, prefix: str) -> None:
        """A beat of production, or of a copy, which bit 1 of tuser says."""
        io = self._io
        if not (io[f"{prefix}_tvalid"] and io[f"{prefix}_tready"]):
            return
        count = int(io[f"{prefix}_tkeep"]).bit_count()
        self._frame[way] += int(io[f"{prefix}_tdata"]).to_bytes(128, "little")[:count]
        if io[f"{prefix}_tlast"]:
            is_copy = int(io[f"{prefix}_tuser"]) & 2
            (self.copies if is_copy else self.passed[way]).append(self._frame[way])
            self._frame[way] = b""
        self._idle = 0


def _beats(frames: Sequence[Frame], beat_bytes: int) -> list[tuple[int, int, int]]:
    """(tdata, tkeep, tlast) of the frames, one after the other."""
    beats = []
    for frame in frames:
        for start in range(0, len(frame.data), beat_bytes):
            part = frame.data[start : start + beat_bytes]
            last = start + beat_bytes >= len(frame.data)
            beats.append((int.from_bytes(part, "little"), (1 << len(part)) - 1, int(last)))
    return beats
