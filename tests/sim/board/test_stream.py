"""Frames without an end through a simulated NIC: in order, whole, with their marks, while its serial line is used."""

import random

import pytest

from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.transports.uartbone import UartboneTransport
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.sim.board.serial_line import build_serial_nic
from halfsilver.sim.board.stream import StreamPump
from halfsilver.sim.board.terminal import CLOCK, RESYNC_SECONDS, make_line
from tests.sim.board.board_kit import BAUD, FRAME, PARAMETERS, with_vni


class Card:
    """A tiny card, and what came out of it so far."""

    def __init__(self):
        self.pump = StreamPump(build_serial_nic(PARAMETERS, CLOCK, BAUD, RESYNC_SECONDS), width=8, seed=1)
        self.line = make_line(self.pump, BAUD)
        self.left = []

    def run(self, bits=64):
        self.line.wait(bits)
        self.left += self.pump.take()

    def drain(self):
        for _ in range(2000):
            if not self.pump.busy:
                return
            self.run()
        raise AssertionError("frames stay inside")

    def production(self, direction):
        return [each.data for each in self.left if each.direction is direction and not each.copy]


@pytest.fixture
def card():
    made = Card()
    yield made
    made.pump.close()


def crowd(source, count):
    """Frames of both directions, some of them for the rule of `with_vni`, of all lengths from one byte on."""
    for number in range(count):
        length = source.choice([1, 13, 14, 59, 60, 61, 64, 200, 1514])
        data = (
            FRAME + source.randbytes(8) if source.random() < 0.3 else number.to_bytes(2, "big") + source.randbytes(1514)
        )
        yield Frame(
            data[: max(length, len(FRAME)) if data.startswith(FRAME) else length], Direction(source.randrange(2))
        )


def test_frames_of_both_ways_come_out_as_they_went_in_while_the_line_is_used(card):
    transport = UartboneTransport(card.line)
    Driver(card.pump).load(with_vni(5))
    frames = list(crowd(random.Random(3), 200))
    driver = Driver(transport)
    for at in range(0, len(frames), 20):
        card.pump.give(frames[at : at + 20])
        assert card.pump.busy and card.pump.queued
        verdicts = sum(tally.frames for tally in driver.counters().verdicts.values())
        card.run()
    assert verdicts > 20  # the clock of the line is that of the frames
    card.drain()
    for direction in Direction:
        assert card.production(direction) == [each.data for each in frames if each.direction is direction]
    copied = [each.data[50:] for each in card.left if each.copy]
    assert copied == [
        each.data for each in frames if each.direction is Direction.INGRESS and each.data.startswith(FRAME)
    ]
    assert all(each.direction is Direction.EGRESS for each in card.left if each.copy)
    assert sum(tally.frames for tally in driver.counters().verdicts.values()) == len(frames)


def test_a_frame_may_be_under_way_between_two_calls(card):
    card.pump.give([Frame(FRAME + bytes(1000), Direction.EGRESS)])
    card.run(bits=10)
    assert not card.left and card.pump.busy and card.pump.queued == 1
    card.drain()
    assert card.production(Direction.EGRESS) == [FRAME + bytes(1000)] and not card.pump.queued


def test_bad_marks_are_told(card):
    card.pump.give([Frame(FRAME, Direction.INGRESS, bad=True), Frame(FRAME, Direction.INGRESS)])
    card.drain()
    assert [(each.bad, each.data) for each in card.left] == [(True, FRAME), (False, FRAME)]


def test_frames_keep_the_distance_of_the_wire(card):
    """On a card of a byte per clock, 24 clocks for preamble, FCS and gap, where they go in and where they leave."""
    count, length = 40, 60
    card.pump.give([Frame(bytes(length), Direction.EGRESS)] * count)
    before = card.line.cycles
    card.run(bits=105)
    assert abs(count - card.pump.queued - (card.line.cycles - before) / (length + 24)) <= 1
    while len(card.left) < count:
        card.run(bits=1)
    cycles = card.line.cycles - before
    assert (count - 1) * (length + 24) <= cycles <= count * (length + 24) + 50


def test_a_card_at_rest_wants_no_clock(card):
    assert not card.pump.busy
    card.pump.give([])
    assert not card.pump.busy
    before = card.line.cycles
    card.pump.give([Frame(FRAME, Direction.INGRESS), Frame(FRAME, Direction.EGRESS)])
    card.drain()
    assert len(card.left) == 2 and card.line.cycles - before < 2000
