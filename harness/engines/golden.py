"""The golden model as an engine."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

from halfsilver.harness.engine import Identity, Progress, Result
from halfsilver.harness.engines.registry import GOLDEN
from halfsilver.harness.errors import UsageError
from halfsilver.harness.golden.flow_hash import SYMMETRIC_KEY
from halfsilver.harness.golden.model import Model, Trace
from halfsilver.harness.golden.parse import EXTENSION_HEADERS
from halfsilver.harness.policy.policy import Interface, Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Counters, Flags, Frame, Output
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord

__all__ = ["GoldenEngine"]

_PROGRESS_EVERY = 1000

_Fate = tuple[Direction, Verdict, int | None, int | None, int | None, bool, bool]
"""What frames of a batch have in common that are counted together: record, mark, and whether they were stopped."""


@dataclass(slots=True)
class _Alike:
    """Frames of one fate: one's record, and sums as of `Counters.count_alike`."""

    like: VerdictRecord
    frames: int = 0
    length: int = 0
    copied: int = 0
    copy: int = 0


class GoldenEngine:
    """Judges frames in plain Python. Never ``congested``; copies leave in the order of their frames.

    ``extension_headers`` (IPv6 extension headers read), ``toeplitz_key`` (at least 40 bytes, ValueError if shorter)
    and ``longest_copy`` (bytes of a frame in its copy, at most) are those of the gateware build it stands for, and
    ``shortest_frame`` the bytes to which frames are padded with zeros on their way to it.
    Sequence numbers and counters are totals since the engine was made; ``configure`` changes neither.
    Before the first ``configure`` there is no interface and the generation is 0. ``close`` has nothing to release.
    """

    def __init__(
        self,
        *,
        extension_headers: int = EXTENSION_HEADERS,
        toeplitz_key: bytes = SYMMETRIC_KEY,
        longest_copy: int | None = None,
        shortest_frame: int = 0,
    ) -> None:
        self._shortest_frame = shortest_frame
        self._longest_copy = longest_copy
        self._extension_headers = extension_headers
        self._toeplitz_key = toeplitz_key
        self._generation = 0
        self._next_sequence = dict.fromkeys(Direction, 0)
        self._counters = Counters()
        self._model = self._build_model((), DEFAULT_FLAGS)

    @classmethod
    def like(cls, build: Identity | None) -> GoldenEngine:
        """One with the limits of a gateware build; of none, with those that the law leaves open as they usually are."""
        parameters = build.parameters if build else {}
        return cls(
            extension_headers=parameters.get("extension_headers", EXTENSION_HEADERS),
            longest_copy=parameters.get("cut_copies"),
            shortest_frame=parameters.get("shortest_frame", 0),
        )

    def identify(self) -> Identity:
        return Identity(GOLDEN, "golden model in Python", {"extension_headers": self._extension_headers})

    def configure(self, policy: Policy, flags: Flags = DEFAULT_FLAGS) -> int:
        """Load a policy; UsageError if the settings of the UDP source port exceed 16 bits."""
        for name, value in (("base", flags.source_port_base), ("mask", flags.source_port_mask)):
            if not 0 <= value <= 0xFFFF:
                raise UsageError(f"UDP source port {name} {value:#x}: must be between 0 and 0xffff")
        self._generation = (self._generation + 1) & 0xFFFF
        self._model = self._build_model(policy.interfaces, flags)
        return self._generation

    def process(self, frames: Sequence[Frame], progress: Progress | None = None) -> Result:
        outputs: list[Output] = []
        verdicts: list[VerdictRecord] = []
        alike: dict[_Fate, _Alike] = {}
        for index, frame in enumerate(frames):
            trace = self.explain(frame)
            record = trace.record
            self._next_sequence[frame.direction] = (record.sequence + 1) & 0xFFFFFFFF
            verdicts.append(record)
            fate = (record.direction, record.verdict, record.eni, record.session, record.rule, frame.bad, trace.stopped)
            one = alike.get(fate)
            if one is None:
                one = alike[fate] = _Alike(record)
            one.frames += 1
            one.length += record.length
            if trace.copy is not None:
                outputs.append(Output(index, trace.copy))
                one.copied += record.copied
                one.copy += len(trace.copy)
            if progress and (index + 1) % _PROGRESS_EVERY == 0:
                progress(index + 1, len(frames))
        if progress:
            progress(len(frames), len(frames))
        for (*_, bad, stopped), one in alike.items():
            self._counters.count_alike(one.like, one.frames, one.length, one.copied, one.copy, bad=bad, stopped=stopped)
        return Result(outputs, verdicts, copy.deepcopy(self._counters))

    def explain(self, frame: Frame) -> Trace:
        """Judge a frame as the next of its direction, with the reasons, without counting it."""
        if len(frame.data) < self._shortest_frame:
            frame = replace(frame, data=frame.data.ljust(self._shortest_frame, b"\0"))
        return self._model.judge(frame, self._next_sequence[frame.direction])

    def close(self) -> None:
        pass

    def _build_model(self, interfaces: Sequence[Interface], flags: Flags) -> Model:
        build = self._extension_headers, self._toeplitz_key, self._longest_copy
        return Model(interfaces, flags, self._generation, *build)
