"""What a host reads of the simulated card over its registers alone: verdicts from the ring, counters under traffic."""

import random
from collections.abc import Iterator

import pytest

from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Pacing, Pump
from tests.harness.policy.policy_kit import documents
from tests.sim.test_verilator_engine import web_request

PARAMETERS = NicParameters(width=64, enis=4)


@pytest.fixture
def pump() -> Iterator[Pump]:
    made = Pump(build_nic(PARAMETERS), seed=1)
    yield made
    made.close()


def some_frames(count, seed=1):
    source = random.Random(seed)
    return [
        Frame(
            source.choice([web_request(bytes(source.randrange(200))), bytes(source.randrange(1, 80))]),
            source.choice(list(Direction)),
        )
        for _ in range(count)
    ]


def judged(pump, frames):
    return [VerdictRecord.from_bytes(record) for record in pump.run(frames, Pacing()).verdicts]


def test_the_ring_has_the_verdicts_of_the_stream(pump):
    driver = Driver(pump)
    driver.load(Policy.from_documents(documents()))
    assert judged(pump, some_frames(20)) and driver.read_verdicts() == []

    driver.select_verdicts()
    verdicts = judged(pump, some_frames(100))
    assert driver.read_verdicts(30) + driver.read_verdicts() == verdicts

    driver.select_verdicts(session=(0, 0))
    its = [each for each in judged(pump, some_frames(100, 2)) if (each.eni, each.session) == (0, 0)]
    assert its and driver.read_verdicts() == its

    driver.select_verdicts(every=7)
    verdicts = judged(pump, some_frames(200, 3))
    found = driver.read_verdicts()
    for direction in Direction:
        of_direction = [each for each in verdicts if each.direction is direction]
        assert [each for each in found if each.direction is direction] == of_direction[::7]
    assert driver.lost_verdicts() == 0


def test_a_full_ring_keeps_the_oldest_and_counts_the_others(pump):
    driver = Driver(pump)
    driver.select_verdicts()
    verdicts = judged(pump, [Frame(bytes(3), Direction.INGRESS)] * (PARAMETERS.verdict_ring + 41))
    assert driver.lost_verdicts() == 41
    assert driver.read_verdicts() == verdicts[: PARAMETERS.verdict_ring]
    assert {each.verdict for each in verdicts} == {Verdict.MALFORMED}
    driver.select_verdicts()
    assert driver.lost_verdicts() == 0 and driver.read_verdicts() == []
