"""One capture against many random policies on one build: golden model and gateware must agree on every byte.

A *lot* runs policy after policy on the same two engines, so that sequence numbers, counters, generations and both
banks of tables go on from one to the next. It depends on the seed and its own name alone, so a failing lot can be
repeated by itself. ``halfsilver.sim.farm`` runs all of them.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from halfsilver.harness.capture.reader import open_capture
from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import EXIT_NOTHING, HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.report.compare import Difference, compare
from halfsilver.harness.verdict import Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim import places
from halfsilver.sim.engine import PAUSES, VerilatorEngine
from halfsilver.sim.places import BUILD
from halfsilver.sim.random_policy import draw_flags, draw_policy, observe, own_frames

__all__ = ["CAPTURES", "FAILURES", "Case", "Lot", "NoCaptures", "Outcome", "captures", "prepare", "run_lot"]

CAPTURES = places.CAPTURES / "dev" if places.CAPTURES else None
FAILURES = BUILD / "farm"

STALLS = (0.0, PAUSES, 0.3)
"""Probabilities of a pause per clock cycle that a lot draws from, for inputs and output."""

DRAWS = 12
"""Policies drawn, each wider than the one before, until one decides a quarter; the second half decide all."""

SAMPLE = 500
"""Frames of a capture on which a draw is judged first."""


class NoCaptures(HalfsilverError):
    """There is nothing to run."""

    exit_code = EXIT_NOTHING


@dataclass(frozen=True, slots=True)
class Lot:
    """One capture on the build for ``enis`` interfaces, with ``policies`` policies, numbered from 0."""

    capture: str
    enis: int
    policies: int
    full_rate: bool = False

    def __str__(self) -> str:
        return f"{self.capture}, {self.enis} ENI{'s' if self.enis > 1 else ''}{', full rate' * self.full_rate}"


@dataclass(slots=True)
class Outcome:
    """What a lot gave: sums over its policies.

    ``decided`` counts frames whose record names a rule, ``rules`` the rules that were named, ``below_quarter`` the
    policies that decided less than a quarter because the capture has no more frames that rules see. ``failure``
    tells everything about the first disagreement, after which the lot stops; it is empty when there was none.
    """

    lot: Lot
    frames: int = 0
    policies: int = 0
    decided: int = 0
    mirrored: int = 0
    rules: int = 0
    below_quarter: int = 0
    cycles: int = 0
    seconds: float = 0.0
    verdicts: Counter[str] = field(default_factory=Counter)
    failure: str = ""


def _folder() -> Path:
    """Where the development captures are; NoCaptures where nobody says it."""
    if CAPTURES is None:
        raise NoCaptures("no captures: the variable HALFSILVER_CAPTURES names the folder above their folder dev/")
    return CAPTURES


def captures() -> list[Path]:
    """The development captures; NoCaptures where there are none."""
    found = sorted(path for path in _folder().glob("*") if path.suffix in (".pcap", ".pcapng"))
    if not found:
        raise NoCaptures(f"no captures in {CAPTURES}; the variable HALFSILVER_CAPTURES names the folder above")
    return found


def run_lot(lot: Lot, seed: int, *, parameters: NicParameters | None = None) -> Outcome:
    """Run a lot up to its first disagreement; ``parameters``: another build than the default one for its ENIs."""
    outcome, start = Outcome(lot), time.perf_counter()
    with open_capture(_folder() / lot.capture) as reader:
        data = [captured.data for captured in reader]
    name = f"{seed} {lot.capture} {lot.enis} {lot.full_rate}"
    stalls = random.Random(f"{name} stalls")
    gateware = VerilatorEngine(
        parameters or NicParameters(enis=lot.enis),
        seed=seed,
        full_rate=lot.full_rate,
        input_stalls=0.0 if lot.full_rate else stalls.choice(STALLS),
        output_stalls=stalls.choice(STALLS),
    )
    golden = GoldenEngine()
    try:
        for number in range(lot.policies):
            case = prepare(random.Random(f"{name} {number}"), data, lot.enis)
            trouble = _run_case(golden, gateware, case, outcome)
            if trouble is not None:
                outcome.failure = _keep_failure(lot, seed, number, case, trouble)
                break
    finally:
        gateware.close()
    outcome.seconds = time.perf_counter() - start
    return outcome


@dataclass(frozen=True, slots=True)
class Case:
    """A policy and the frames for it; ``is_quarter``: rules decide at least a quarter of them."""

    policy: Policy
    flags: Flags
    frames: list[Frame]
    is_quarter: bool


def prepare(rng: random.Random, data: Sequence[bytes], enis: int) -> Case:
    """Draw policy, flags and frames until a rule decides at least a quarter of the frames.

    A capture may have fewer frames that rules see (the rest is ARP, say): then rules decide all of those.
    """
    traffic = observe(data)
    for draw in range(DRAWS):
        policy = draw_policy(rng, traffic, enis, breadth=min(1.0, 2 * draw / DRAWS))
        flags, frames = draw_flags(rng), own_frames(rng, data, policy)
        if len(frames) > SAMPLE and not any(_decided(policy, flags, rng.sample(frames, SAMPLE))):
            continue
        is_quarter, is_everything = _decided(policy, flags, frames)
        if is_quarter or (is_everything and draw >= DRAWS // 2):
            return Case(policy, flags, frames, is_quarter)
    raise HalfsilverError(f"no policy of {DRAWS} decides a quarter of the frames")


def _decided(policy: Policy, flags: Flags, frames: Sequence[Frame]) -> tuple[bool, bool]:
    """Whether rules decide a quarter of the frames; whether they decide all they see."""
    golden = GoldenEngine()
    golden.configure(policy, flags)
    records = golden.process(frames).verdicts
    decided = sum(record.rule is not None for record in records)
    return decided * 4 >= len(frames), not any(record.verdict is Verdict.NO_MATCH for record in records)


def _run_case(golden: GoldenEngine, gateware: VerilatorEngine, case: Case, outcome: Outcome) -> Difference | str | None:
    """One policy on both engines: the first difference, or what the gateware's engine complained about."""
    generation = golden.configure(case.policy, case.flags)
    first = golden.process(case.frames)
    outcome.policies += 1
    outcome.below_quarter += not case.is_quarter
    outcome.frames += len(case.frames)
    outcome.decided += sum(record.rule is not None for record in first.verdicts)
    outcome.rules += len(
        {
            (record.direction, record.eni, record.session, record.rule)
            for record in first.verdicts
            if record.rule is not None
        }
    )
    try:
        configured = gateware.configure(case.policy, case.flags)
        second = gateware.process(case.frames)
    except HalfsilverError as error:
        return str(error)
    outcome.cycles += second.cycles or 0
    outcome.mirrored += len(second.outputs)
    outcome.verdicts.update(str(record.verdict) for record in second.verdicts)
    if configured != generation:
        return f"generation: golden {generation}, verilator {configured}"
    counted = sum(tally.frames for tally in second.counters.verdicts.values())
    if counted != outcome.frames:
        return f"the gateware's verdict counters add up to {counted} frames, {outcome.frames} were offered"
    differences = compare(first, second, congestion=outcome.lot.full_rate)
    return differences[0] if differences else None


def _keep_failure(lot: Lot, seed: int, number: int, case: Case, trouble: Difference | str) -> str:
    """Write what is needed to look into a failure; returns the message for people."""
    place = FAILURES / f"{Path(lot.capture).stem}-{lot.enis}{'-full-rate' * lot.full_rate}-{number}"
    place.mkdir(parents=True, exist_ok=True)
    policy, frames = place / "mirror.json", place / "frames.pcapng"
    policy.write_text(json.dumps(case.policy.to_documents(), indent=2) + "\n")
    with frames.open("wb") as stream:
        writer = PcapngWriter(stream)
        for index, frame in enumerate(case.frames):
            writer.write(frame.data, index, f"{frame.direction}{', bad' * frame.bad}{', dropped' * frame.dropped}")
    lines = [f"{lot}, seed {seed}, policy {number}, {case.flags}"]
    if isinstance(trouble, str):
        lines.append(trouble)
    else:
        lines.append(trouble.describe())
        if trouble.frame is not None:
            frame = case.frames[trouble.frame - 1]
            marks = f"{frame.direction}{', bad' * frame.bad}{', dropped' * frame.dropped}"
            shown = f"{frame.data[:256].hex()}{'...' if len(frame.data) > 256 else ''}"
            lines.append(f"frame {trouble.frame}: {marks}, {len(frame.data)} bytes: {shown}")
    lines += [f"policy: {policy}", f"frames: {frames}", f"again: {_again(replace(lot, policies=number + 1), seed)}"]
    message = "\n".join(lines)
    (place / "failure.txt").write_text(message + "\n")
    return message


def _again(lot: Lot, seed: int) -> str:
    """The command that repeats a lot."""
    return (
        f".venv/bin/python -m halfsilver.sim.farm --capture {lot.capture} --enis {lot.enis} --policies {lot.policies} "
        f"--seed {seed}{' --full-rate' * lot.full_rate}"
    )
