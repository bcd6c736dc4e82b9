"""What the tests of the suite itself share: engines with one fault each, and tests of somebody's own to run on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from halfsilver.harness.engine import Identity, Result
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import CapacityExceeded, CardUnreachable
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Output, Tally
from halfsilver.harness.suite.engines import Engines, EngineUnderTest
from halfsilver.harness.verdict import Direction, Verdict

Fault = Callable[[Result], None]


class Faulty(GoldenEngine):
    """The golden model with production, and one fault that is planted into what it says of each batch."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._fault = fault

    def identify(self) -> Identity:
        return Identity("faulty", "the golden model with a fault", {"width": 64})

    def process(self, frames, progress=None):
        result = super().process(frames, progress)
        result.production = {direction: Tally() for direction in Direction}
        for frame, record in zip(frames, result.verdicts, strict=True):
            if record.verdict is not Verdict.DROPPED:
                result.production[frame.direction].add(len(frame.data))
        self._fault(result)
        return result


class Small(GoldenEngine):
    """One that has room for no more interfaces than its first policy had, as an engine that is built for it."""

    def __init__(self) -> None:
        super().__init__()
        self.room: int | None = None
        self.closed = False

    def configure(self, policy: Policy, flags=None) -> int:
        self.room = self.room or len(policy.interfaces)
        if len(policy.interfaces) > self.room:
            raise CapacityExceeded(f"the policy needs {len(policy.interfaces)} interfaces", "interfaces")
        return super().configure(policy, flags)

    def close(self) -> None:
        self.closed = True


class Tiny(Small):
    """One that has room for nothing."""

    def configure(self, policy: Policy, flags=None) -> int:
        raise CapacityExceeded(f"the policy needs {len(policy.interfaces)} interfaces", "interfaces")


def no_fault(result: Result) -> None:
    """None."""


def flip_a_byte(at: int) -> Fault:
    def fault(result: Result) -> None:
        for index, output in enumerate(result.outputs):
            data = bytearray(output.data)
            data[at] ^= 1
            result.outputs[index] = Output(output.frame, bytes(data))

    return fault


def drop_a_copy(result: Result) -> None:
    del result.outputs[:1]


def double_a_copy(result: Result) -> None:
    result.outputs += result.outputs[-1:]


def lengthen_a_copy(result: Result) -> None:
    result.outputs[:] = [Output(each.frame, each.data + b"\0") for each in result.outputs]


def change_a_record(**fields) -> Fault:
    def fault(result: Result) -> None:
        result.verdicts[:1] = [replace(each, **fields) for each in result.verdicts[:1]]

    return fault


def swap_verdicts(result: Result) -> None:
    """The first two records, but for their numbers."""
    if len(result.verdicts) > 1:
        one, two = result.verdicts[:2]
        result.verdicts[:2] = [replace(two, sequence=one.sequence), replace(one, sequence=two.sequence)]


def lose_production(result: Result) -> None:
    assert result.production is not None
    result.production[Direction.INGRESS].octets -= 1


def forget_to_count(result: Result) -> None:
    result.counters.verdicts.clear()


def unreachable(name: str, seed: int):
    """In place of an engine: a board that does not answer."""
    raise CardUnreachable(f"{name}: no answer within 1 s")


def engines_with(fault: Fault) -> Engines:
    """The golden model's name, and this engine behind it."""
    return Engines(1, lambda name, seed: Faulty(fault))


def engine_with(fault: Fault = no_fault) -> EngineUnderTest:
    return engines_with(fault).get("golden")
