"""The gateware under Verilator as an engine: the exported top, driven by the native pump in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from halfsilver.harness.engine import Identity, Progress, Result
from halfsilver.harness.engines.registry import VERILATOR
from halfsilver.harness.errors import UsageError
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.matching import VerdictMatcher, match_copies
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Flags, Frame, Tally
from halfsilver.harness.verdict import Direction
from halfsilver.harness.versions import verilator_version
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Pacing, Pump, PumpRun

__all__ = ["BUILD_ENIS", "BUILD_GUARDS", "BUILD_RECEIVERS", "PAUSES", "VerilatorEngine"]

BUILD_ENIS = (1, 4, 16)
"""Interfaces of the builds to choose from when no parameters are given: the smallest that fits is taken."""

BUILD_GUARDS = (0, 34, 98)
"""Rules of guards, likewise; with the usual 30 rules of sessions they fill a word of the tables."""

BUILD_RECEIVERS = (1, 4, 16)
"""Receivers that the copies of a session are spread over, likewise."""

PAUSES = 1 / 16
"""Usual probability of a pause, in each clock cycle, at the inputs and at the output."""


class VerilatorEngine:
    """Judges frames in the simulated NIC.

    parameters     NicParameters of the build; None: the smallest of ``BUILD_ENIS``, ``BUILD_GUARDS`` and
                   ``BUILD_RECEIVERS`` for the first policy
    width          data width in bits, where ``parameters`` is None
    seed           of the random stalls and of undefined bits
    full_rate      offer frames back to back on both inputs; copies may then find the queue full
                   (``congested``). Otherwise frames are offered no faster than copies drain: nothing is
                   congested, and copies leave in input order
    input_stalls   probability of an idle cycle at an input
    output_stalls  probability of a cycle in which a receiver is not ready, each for itself; both by default ``PAUSES``,
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
        self._driver: Driver | None = None
        self._verdicts = VerdictMatcher()

    def identify(self) -> Identity:
        """What the registers of the NIC say; before the first ``configure`` only what was asked for."""
        if self._driver is None:
            return Identity(VERILATOR, "gateware under Verilator, built when it is configured")
        card = self._driver.card
        return Identity(VERILATOR, f"{card.detail}, under Verilator {verilator_version()}", asdict(card.shape))

    def configure(self, policy: Policy, flags: Flags = DEFAULT_FLAGS) -> int:
        """Write a policy into the shadow tables and commit it; returns the new generation."""
        generation = self._start(policy).load(policy, flags)
        self._policy = policy
        return generation

    def pace(self, pacing: Pacing) -> None:
        """Offer the frames of all batches from now on in this way; call it after the first ``configure``."""
        self._pacing = pacing

    def number_batch(self, number: int) -> None:
        """The next batch has the pauses that a batch of this number has, from 0."""
        if self._pump is not None:
            self._pump.batches = number

    def process(self, frames: Sequence[Frame], progress: Progress | None = None) -> Result:
        """Judge a batch. Copies that belong to no mirrored frame, or are missing, are a HalfsilverError; so is a
        production frame that does not come out as it went in."""
        if self._pump is None or self._driver is None or self._policy is None:
            raise UsageError("the engine has no policy yet: configure comes before process")
        total = len(frames)
        report = None if progress is None else lambda done: progress(done, total)
        run = self._pump.run(frames, self._pacing, report, stops=self._policy.guarded)
        verdicts = self._verdicts.match(frames, run.verdicts)
        in_order = not self._pacing.full_rate
        outputs = match_copies(frames, verdicts, run.copies, self._policy, in_input_order=in_order)
        if progress is not None:
            progress(total, total)
        return Result(outputs, verdicts, self._driver.counters(), run.cycles, _production(frames, run))

    def close(self) -> None:
        """End the simulation; a wave file is complete then."""
        if self._pump is not None:
            self._pump.close()
            self._pump = None
            self._driver = None

    def _start(self, policy: Policy) -> Driver:
        """The driver of the running NIC; builds that the first time."""
        if self._driver is None:
            parameters = self._parameters
            if parameters is None:
                # An empty list is a guard, too.
                receivers = [len(session.outers) for each in policy.interfaces for session in each.sessions]
                guards = [max(1, len(each.guard.rules)) for each in policy.interfaces if each.guard is not None]
                parameters = NicParameters(
                    width=self._width,
                    enis=_smallest(BUILD_ENIS, len(policy.interfaces)),
                    security_groups=_smallest(BUILD_GUARDS, max(guards, default=0)),
                    receivers=_smallest(BUILD_RECEIVERS, max(receivers, default=1)),
                )
            library = self._library or build_nic(parameters, trace=self._waves is not None)
            self._pump = Pump(library, seed=self._seed, waves=self._waves)
            self._driver = Driver(self._pump)
            self._pacing = replace(
                self._pacing, limit_bytes=parameters.queue_depth // 2, limit_frames=parameters.copies // 2
            )
        return self._driver


def _smallest(sizes: Sequence[int], needed: int) -> int:
    """The first size that is enough, or the last."""
    return next((size for size in sizes if size >= needed), sizes[-1])


def _production(frames: Sequence[Frame], run: PumpRun) -> dict[Direction, Tally]:
    """What passed, which the pump has compared with what went in."""
    passed = {direction: Tally() for direction in Direction}
    for each in run.passed:
        frame = frames[each.frame]
        passed[frame.direction].add(len(frame.data))
    return passed
