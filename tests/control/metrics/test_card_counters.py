"""A board's own traffic in the server's metrics: counted once, by whom it is, whatever becomes of board and line.

The board is in memory: a card with registers, which judges by the golden model what others send on its wires.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from halfsilver.harness.control.control import Control
from halfsilver.harness.control.iam.policies import ADMINISTRATOR
from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.metrics.book import Book
from halfsilver.harness.control.metrics.families import Families
from halfsilver.harness.control.metrics.requests import Requests
from halfsilver.harness.control.operations.call import Call
from halfsilver.harness.control.plane.data_plane import DataPlane
from halfsilver.harness.engines.card import CardEngine
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import CardUnreachable
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, METRICS, Flags, Frame, Tally
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.parameters import NicShape
from tests.control.kits.inventory_kit import COLLECTOR, DATABASE, WEB, Lab, example
from tests.control.kits.serve_kit import to_web
from tests.harness.bench.board_kit import NET, Board, memory_wires
from tests.harness.nic.card_kit import NAMES

NOON = datetime(2026, 6, 1, 12, 0, 5, tzinfo=UTC)
IN_WEB = ("ingress", WEB)


class Line:
    """The way to a card: it can be cut, and change what it carries."""

    def __init__(self, card: Any) -> None:
        self.card, self.cut = card, False
        self.damaged: Sequence[int] = ()  # words of the next answer that has a counter, 4 for each time it is asked for

    def read(self, addresses: Any) -> list[int]:
        self._check()
        words: list[int] = self.card.read(addresses)
        if NAMES[addresses[0]] == "COUNTER_FRAMES_LOW" and words[0]:
            damaged, self.damaged = self.damaged, ()
            words = [word + (at in damaged) for at, word in enumerate(words)]
        return words

    def write(self, pairs: Any) -> None:
        self._check()
        self.card.write(pairs)

    def _check(self) -> None:
        if self.cut:
            raise CardUnreachable("nothing answers at /dev/board")


class OnBoard(CardEngine):
    """The board's golden model cannot read tables, so it is handed the policy as well."""

    def __init__(self, board: Any, line: Line) -> None:
        self._board = board
        super().__init__(line, *memory_wires(board), name="board:test", patience=0.2)

    def configure(self, policy: Policy, flags: Flags = DEFAULT_FLAGS) -> int:
        self._board.policy = policy
        return super().configure(policy, flags)


class Desk(Lab):
    """A server, its board, and who else sends frames through that; the poller sleeps, tests say when it looks."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = lambda: NOON
        inventory = inventory_file.from_documents(example())
        self.board = Board(Policy(()), shape=NicShape(enis=len(inventory.nic), sessions=3, rules=3))
        self.line = Line(self.board.card)
        self.book = Book(self._now)
        self.plane = DataPlane(self._open, inventory.nic, self.book)
        self.control = Control(
            self.store, inventory, self.settings, self.plane, lambda _: ADMINISTRATOR, poll=3600, clock=self._now
        )
        self.watch = self.client("cloudwatch")

    def _open(self) -> CardEngine:
        return OnBoard(self.board, self.line)

    def execute(self, call: Call) -> Any:
        return self.control.execute(call)

    def close(self) -> None:
        self.control.close()
        self.plane.close()
        self.store.close()

    def mirror(self, port: int, eni_id: str = WEB, number: int = 1) -> str:
        """A session for one port; its id."""
        ec2 = self.client("ec2")
        made = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
        ec2.create_traffic_mirror_filter_rule(
            TrafficMirrorFilterId=made,
            TrafficDirection="ingress",
            RuleNumber=1,
            RuleAction="accept",
            Protocol=6,
            DestinationPortRange={"FromPort": port, "ToPort": port},
            SourceCidrBlock="0.0.0.0/0",
            DestinationCidrBlock="0.0.0.0/0",
        )
        targets = ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"]
        target = (
            targets[0]
            if targets
            else ec2.create_traffic_mirror_target(NetworkInterfaceId=COLLECTOR)["TrafficMirrorTarget"]
        )
        session = ec2.create_traffic_mirror_session(
            NetworkInterfaceId=eni_id,
            TrafficMirrorTargetId=target["TrafficMirrorTargetId"],
            TrafficMirrorFilterId=made,
            SessionNumber=number,
        )["TrafficMirrorSession"]
        return str(session["TrafficMirrorSessionId"])

    def passes(self, count: int, port: int = 80, eni_id: str = WEB) -> int:
        """Others send frames through the board; bytes of one."""
        data = bytes(to_web(port, eni_id))
        for _ in range(count):
            self.board.take(NET, data)
        return len(data)

    def reset(self) -> None:
        """The board loses its power for a moment."""
        self.board.golden, self.board._generation = GoldenEngine(), 0
        card = self.board.card
        card.generation, card.active, card.banks = 0, 0, [{}, {}]
        card.counters.clear()

    def forward(self, **time: float) -> None:
        self.later += timedelta(**time)

    def read(self) -> None:
        self.plane.read_counters()

    def copies(self, session: str, eni_id: str = WEB) -> int:
        return self.control.totals().sessions.get(("ingress", eni_id, session), Tally()).frames

    def judged(self) -> int:
        """Frames by the totals, which are those that came in by the board's ports."""
        totals = self.control.totals()
        judged = sum(tally.frames for tally in totals.verdicts.values())
        entered = sum(tally.frames for (port, _), tally in totals.ports.items() if port in ("network-in", "host-in"))
        assert judged == entered
        return judged

    def sums(self, minutes: int = 1) -> dict[str, float]:
        """The eight metrics of the last minutes, as CloudWatch's clients see them; those that are not zero."""
        now = self._now()
        found = {}
        for name in METRICS:
            points = self.watch.get_metric_statistics(
                Namespace="AWS/EC2",
                MetricName=name,
                Dimensions=[{"Name": "InstanceId", "Value": "i-0a1b2c3d4e5f60010"}],
                StartTime=now - timedelta(minutes=minutes),
                EndTime=now,
                Period=60 * minutes,
                Statistics=["Sum"],
            )["Datapoints"]
            if points and points[0]["Sum"]:
                found[name] = points[0]["Sum"]
        return found

    def scraped(self, name: str) -> float | None:
        """What Prometheus sees."""
        registry = CollectorRegistry()
        registry.register(Families(self.book, self.control.status, Requests()))
        return registry.get_sample_value(name)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def test_what_others_send_is_in_the_metrics(desk: Desk) -> None:
    session = desk.mirror(80)
    length = desk.passes(3)
    desk.passes(2, port=81)
    assert desk.judged() == 0, "not before it is read"
    desk.read()
    assert desk.copies(session) == 3 and desk.judged() == 5
    desk.passes(4)
    desk.forward(minutes=1)
    desk.control._collector.collect()  # reads the card by itself: the minute is to be whole
    desk.forward(seconds=-10)
    assert desk.copies(session) == 7
    desk.forward(seconds=10)
    assert desk.sums(2) == {"NetworkMirrorIn": 7.0 * length, "NetworkPacketsMirrorIn": 7.0}
    assert desk.control.totals().ports["network-in", "good"] == Tally(9, 9 * length)
    assert desk.scraped("halfsilver_counters_up") == 1
    assert desk.scraped("halfsilver_counters_read_timestamp_seconds") == desk._now().timestamp()


def test_a_clock_that_goes_back_puts_nothing_into_the_future(desk: Desk) -> None:
    """What passed since a reading by the clock before is of the minute in which it is read."""
    desk.mirror(80)
    desk.read()
    desk.forward(hours=-2)
    length = desk.passes(3)
    desk.read()
    desk.forward(minutes=1)
    assert desk.sums(2) == {"NetworkMirrorIn": 3.0 * length, "NetworkPacketsMirrorIn": 3.0}


def test_frames_of_the_server_are_counted_once(desk: Desk) -> None:
    """What it sends passes the same counters as what others send meanwhile."""
    session = desk.mirror(80)
    desk.passes(2)
    judged = desk.control.process([Frame(bytes(to_web(80)), Direction.INGRESS)] * 3)
    assert len(judged.result.outputs) == 3 and desk.copies(session) == 5 and desk.judged() == 5
    desk.read()
    desk.passes(1)
    desk.read()
    assert desk.copies(session) == 6 and desk.judged() == 6


def test_what_was_counted_before_the_server_came_is_not_its(desk: Desk) -> None:
    """A board mirrors on while no server looks after it; another server begins with what it finds."""
    session = desk.mirror(80)
    desk.passes(50)
    desk.read()
    later = DataPlane(desk._open, desk.control.nic().carried, Book(desk._now))
    with desk.store.begin() as transaction:
        later.follow(transaction)
    later.read_counters()
    assert not later.book.totals().verdicts
    desk.passes(2)
    later.read_counters()
    assert later.book.totals().sessions["ingress", WEB, session].frames == 2


def test_a_change_gives_each_session_its_own(desk: Desk) -> None:
    """The same index is another session's after it, and what passed before was the first one's."""
    first, second = desk.mirror(80), desk.mirror(81, number=2)
    desk.passes(3)
    desk.passes(4, port=81)
    desk.client("ec2").delete_traffic_mirror_session(TrafficMirrorSessionId=first)
    desk.passes(7)
    desk.passes(1, port=81)
    third = desk.mirror(80)
    desk.passes(2)
    desk.read()
    assert [desk.copies(each) for each in (first, second, third)] == [3, 5, 2] and desk.judged() == 17


def test_a_session_more_is_not_read_for(desk: Desk) -> None:
    """Where each index means what it meant, a change does not wait for a reading."""
    desk.mirror(80)
    read = desk.plane.reading.at
    desk.forward(seconds=1)
    other = desk.mirror(80, DATABASE)
    assert desk.plane.reading.at == read
    desk.passes(2, eni_id=DATABASE)
    desk.read()
    assert desk.copies(other, DATABASE) == 2


@pytest.mark.parametrize("after", [0, 3, 9])
def test_a_board_that_was_reset_is_loaded_again(desk: Desk, after: int) -> None:
    """No total goes back, and nothing is counted twice, though fewer or more frames came after than before."""
    session = desk.mirror(80)
    desk.passes(5)
    desk.read()
    desk.reset()
    desk.passes(2)  # without a policy there is no such interface
    desk.read()
    assert desk.control.unready() is not None and "reset" in str(desk.control.unready())
    assert desk.control.status()["engine"]["state"] == "down" and desk.scraped("halfsilver_counters_up") == 0
    with desk.store.begin() as transaction:
        desk.plane.follow(transaction)
    assert desk.control.unready() is None
    desk.passes(after)
    desk.read()
    assert desk.copies(session) == 5 + after and desk.judged() == 7 + after


def test_a_board_that_cannot_be_reached_does_not_stop_the_server(desk: Desk) -> None:
    """It mirrors on, and what it counted meanwhile is there when it is."""
    session = desk.mirror(80)
    desk.passes(2)
    desk.line.cut = True
    desk.read()
    assert "nothing answers at /dev/board" in str(desk.control.unready())
    assert desk.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    desk.passes(3)
    with pytest.raises(CardUnreachable), desk.store.begin() as transaction:
        desk.plane.follow(transaction)
    desk.line.cut = False
    with desk.store.begin() as transaction:
        desk.plane.follow(transaction)
    desk.read()
    assert desk.control.unready() is None and desk.copies(session) == 5 and desk.judged() == 5


@pytest.mark.parametrize(
    ("words", "why"),
    [([0], "read twice, and was not the same"), ([0, 4], "ingress offered 3 and sum over verdicts 2: NOT THE SAME")],
)
def test_a_reading_that_was_damaged_on_the_line_counts_nothing(desk: Desk, words: list[int], why: str) -> None:
    session = desk.mirror(80)
    desk.passes(2)
    desk.line.damaged = words
    desk.read()
    assert why in str(desk.control.unready()) and desk.judged() == 0
    assert desk.control.status()["engine"]["state"] == "running" and desk.scraped("halfsilver_counters_up") == 0
    desk.read()
    assert desk.control.unready() is None and desk.copies(session) == desk.judged() == 2


def test_counters_that_go_back_without_a_reset_are_not_believed(desk: Desk) -> None:
    """Which of two readings was wrong is not known: counting goes on from the one after them, and not from zero."""
    session = desk.mirror(80)
    desk.passes(3)
    fewer = dict(desk.board.card.counters)
    desk.passes(2)
    more = dict(desk.board.card.counters)
    desk.read()
    desk.board.card.counters = fewer
    desk.read()
    assert "less than they were" in str(desk.control.unready())
    desk.read()
    assert desk.control.unready() is None and desk.copies(session) == desk.judged() == 5
    desk.board.card.counters = more
    desk.read()
    assert desk.copies(session) == desk.judged() == 7


def test_a_minute_has_what_came_before_its_end(desk: Desk) -> None:
    """Read a moment after it, the difference is the minute's in which it came to be."""
    session = desk.mirror(80)
    desk.forward(seconds=50)
    desk.read()
    desk.passes(4)
    desk.forward(seconds=6)  # 12:01:01
    desk.read()
    assert {minute: sums["NetworkPacketsMirrorIn"] for (minute, _), sums in desk.book.take().items()} == {
        int(NOON.timestamp()) - 5: 4
    }
    assert desk.copies(session) == 4


def test_an_engine_that_carries_nothing_is_not_read() -> None:
    plane = DataPlane(GoldenEngine, ())
    plane.read_counters()
    assert plane.reading.at is None and plane.reading.trouble is None
