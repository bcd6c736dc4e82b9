"""A Verilated NIC in this process: PyVerilator around the library, plus the native pump of ``halfsilver.sim.native``.

``Pump`` moves frames, register accesses and records; what they mean is for ``halfsilver.sim.engine``.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyverilator

from halfsilver.harness.errors import HalfsilverError, UsageError
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.sim.native import structures

__all__ = [
    "Access",
    "Event",
    "INPUTS",
    "Pacing",
    "Passed",
    "Pump",
    "PumpError",
    "PumpRun",
    "await_at",
    "hold_at",
    "read",
    "reset_at",
    "write",
    "write_at",
]

INPUTS = {Direction.INGRESS: "s_axis_net", Direction.EGRESS: "s_axis_host"}
"""Names of the exported top's inputs, by the direction of the frames that come in there."""


class PumpError(HalfsilverError):
    """The simulated hardware broke a protocol, stopped, or answered what nobody asked."""


Access = tuple[int, int, int]
"""A step of a register plan, made by ``read`` or ``write``."""


def read(address: int) -> Access:
    """Read the register at a byte address."""
    return address, 0, structures.READ


def write(address: int, value: int) -> Access:
    """Write the register at a byte address."""
    return address, value, structures.WRITE


Event = tuple[int, int, int, int, int]
"""Something that happens in the middle of a batch, made by ``write_at``, ``await_at``, ``hold_at`` or ``reset_at``."""


def write_at(cycle: int, address: int, value: int) -> Event:
    """Write a register, not before this clock cycle of the batch."""
    return cycle, structures.WRITE, address, value, 0


def await_at(cycle: int, address: int, mask: int, value: int) -> Event:
    """From this clock cycle on read a register until the bits of the mask are as in the value."""
    return cycle, structures.READ, address, value, mask


def hold_at(cycle: int, *outputs: Direction) -> Event:
    """From this clock cycle on only these outputs take nothing: ingress is the host's, egress the one of the copies."""
    return cycle, structures.HOLD, 0, sum(1 << output for output in outputs), 0


def reset_at(cycle: int) -> Event:
    """Reset the NIC, which ends the batch: what has not come out by then never does."""
    return cycle, structures.RESET, 0, 0, 0


@dataclass(frozen=True, slots=True)
class Pacing:
    """How frames are offered.

    full_rate      both inputs back to back; otherwise a frame waits until all frames of the other direction
                   are done and its own direction has no more than the limits outstanding, so that no copy
                   finds the queue full and copies come out in input order
    limit_bytes    paced: bytes offered and not yet done
    limit_frames   paced: frames offered and not yet done
    input_stalls   probability of an idle cycle at an input, 0 up to but not including 1
    output_stalls  probability of a cycle without ``tready`` at an output, likewise
    gap            cycles that an output is not taken behind each frame: what a MAC needs for the wire
    timeout        cycles without any progress after which the run is given up
    """

    full_rate: bool = False
    limit_bytes: int = 8192
    limit_frames: int = 2
    input_stalls: float = 0.0
    output_stalls: float = 0.0
    gap: int = 0
    timeout: int = 20_000

    def __post_init__(self) -> None:
        for name in ("input_stalls", "output_stalls"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, not {getattr(self, name)!r}")


class Passed(NamedTuple):
    """A production frame on the other side: its number in the batch, and the cycles of its first beat in, and of its
    first and last beat out."""

    frame: int
    entered: int
    begun: int
    ended: int


@dataclass(slots=True)
class PumpRun:
    """Copies and 16-byte verdict records in the order they came out, each with its cycle, and what passed.

    The pump compares every production frame that comes out with the one that went in, byte by byte, in its direction's
    order, with its marks; one that differs is a PumpError.
    """

    copies: list[bytes]
    copy_cycles: list[int]
    verdicts: list[bytes]
    verdict_cycles: list[int]
    passed: list[Passed]
    cycles: int


class Pump:
    """One simulated NIC, just reset.

    ``seed`` gives undefined bits their value and, mixed with the number of the batch, the stalls; ``batches`` is the
    number of the next one, from 0. ``waves``:
    write a VCD file (the library must have been built with tracing). Several may exist in one process.
    """

    def __init__(self, library: Path, *, seed: int = 0, waves: Path | None = None) -> None:
        undefined = ("pump", "+verilator+rand+reset+2", f"+verilator+seed+{seed % 0x7FFFFFFF + 1}")
        self._simulation: Any = pyverilator.PyVerilator(str(library), command_args=undefined)
        self._native = self._simulation.lib
        self._model = ctypes.c_void_p(self._simulation.model)
        self._check_layout(library)
        self._native.pump_error.restype = ctypes.c_char_p
        self._seed = seed
        self.batches = 0
        if waves is not None:
            waves.parent.mkdir(parents=True, exist_ok=True)
            self._simulation.start_vcd_trace(str(waves), auto_tracing=False)
        self._native.pump_reset(self._model)

    @property
    def simulation(self) -> Any:
        """The PyVerilator object: ports by name in ``.io``, single clock ticks, waves."""
        return self._simulation

    def write(self, writes: Sequence[tuple[int, int]]) -> None:
        """Write registers, (byte address, value) each, in order."""
        self.access([write(address, value) for address, value in writes])

    def read(self, addresses: Sequence[int]) -> list[int]:
        """Read registers at byte addresses, in order."""
        return self.access([read(address) for address in addresses])

    def access(self, plan: Sequence[Access]) -> list[int]:
        """Register accesses in order; returns the values read. Errors: PumpError."""
        accesses = (structures.Access * len(plan))(*[structures.Access(*step) for step in plan])
        self._check(self._native.pump_registers(self._model, accesses, ctypes.c_uint64(len(plan))))
        return [step.value for step in accesses if step.kind == structures.READ]

    def run(
        self,
        frames: Sequence[Frame],
        pacing: Pacing,
        progress: Callable[[int], None] | None = None,
        schedule: Sequence[Event] = (),
        starts: Sequence[int] | None = None,
        stops: bool = False,
    ) -> PumpRun:
        """Send a batch and wait until it is through and what was scheduled is done.

        ``schedule``: events in the order in which they happen; each waits for the one before it.
        ``starts``: for each frame the cycle of the batch before which it does not start.
        ``stops``: ingress frames that are ``dropped`` must not come out; without it all frames must.
        ``progress`` is called now and then with the number of frames judged. Errors: PumpError; UsageError for
        a frame without any byte, which no packet port can carry.
        """
        table = (structures.Frame * len(frames))()
        offset = 0
        for index, frame in enumerate(frames):
            if not frame.data:
                raise UsageError(f"frame {index + 1} of the batch has no bytes: no packet port can carry it")
            start = starts[index] if starts is not None else 0
            table[index] = structures.Frame(offset, start, len(frame.data), frame.direction, frame.bad, frame.dropped)
            offset += len(frame.data)
        data = b"".join([frame.data for frame in frames])
        options = structures.Options(
            self._seed ^ (self.batches << 32),
            pacing.limit_bytes,
            pacing.limit_frames,
            round(pacing.input_stalls * 65536),
            round(pacing.output_stalls * 65536),
            pacing.timeout,
            pacing.full_rate,
            pacing.gap,
            stops,
        )
        self.batches += 1
        raised: list[BaseException] = []

        def report(done: int) -> int:
            try:
                if progress is not None:
                    progress(done)
            except BaseException as error:  # Ctrl-C must stop the native loop, not vanish in it
                raised.append(error)
            return len(raised)

        events = (structures.Event * len(schedule))(*[structures.Event(*event) for event in schedule])
        result = structures.Result()
        status = self._native.pump_run(
            self._model,
            data,
            table,
            ctypes.c_uint64(len(frames)),
            ctypes.byref(options),
            events,
            ctypes.c_uint64(len(events)),
            structures.Progress(report),
            ctypes.byref(result),
        )
        if raised:
            raise raised[0]
        self._check(status)
        start = ctypes.addressof(result.bytes.contents) if result.copy_count else 0
        copies = result.copies[: result.copy_count]
        verdicts = result.verdicts[: result.verdict_count]
        passed = result.passed[: result.passed_count]
        run = PumpRun(
            [ctypes.string_at(start + copy.offset, copy.length) for copy in copies],
            [copy.cycle for copy in copies],
            [bytes(verdict.record) for verdict in verdicts],
            [verdict.cycle for verdict in verdicts],
            [Passed(each.frame, each.entered, each.begun, each.ended) for each in passed],
            result.cycles,
        )
        self._native.pump_release(self._model)
        return run

    def serial(self, toggles: Any, cycles: int, answer: Any, found: Any) -> None:
        """Run so many cycles with a serial line: arrays of 64-bit numbers, the cycles in which it changes each way."""
        start = ctypes.c_void_p(toggles.buffer_info()[0])
        numbers = [ctypes.c_uint64(number) for number in (len(toggles), cycles, len(answer))]
        count, length, room = numbers
        self._check(self._native.pump_serial(self._model, start, count, length, answer, room, ctypes.byref(found)))

    def write_coverage(self, path: Path) -> None:
        """What has been exercised so far; the library must have been built with coverage."""
        self._native.pump_coverage(self._model, str(path).encode())

    def close(self) -> None:
        """End the simulation; an open wave file is finished."""
        if self._simulation is not None:
            with contextlib.suppress(AttributeError):
                if self._simulation.vcd_trace is not None:
                    self._simulation.stop_vcd_trace()
            self._simulation = None

    def _check_layout(self, library: Path) -> None:
        """A library that was built with other structures would read and write past ours."""
        try:
            theirs = ctypes.c_char_p.in_dll(self._native, "pump_layout").value or b""
        except ValueError:
            theirs = b"unknown"
        if theirs.decode() != structures.LAYOUT:
            mine, other = structures.LAYOUT.split(), theirs.decode().split()
            place = next((part for part in mine if part not in other), "more than this version knows")
            raise HalfsilverError(
                f"{library} was built with another layout of what the pump exchanges (here {place}); build it again"
            )

    def _check(self, status: int) -> None:
        if status:
            raise PumpError(f"simulation: {self._native.pump_error(self._model).decode()}")
