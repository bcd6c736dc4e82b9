"""Who writes while a commit waits: one commit for all of them, each done or refused by itself; what needs no thread."""

import asyncio
import re
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime

import pytest

from halfsilver.harness.control.control import FEW, Control
from halfsilver.harness.control.iam.policies import ADMINISTRATOR
from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.operations.call import Call, Caller, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.throttling import Throttle
from halfsilver.harness.control.plane.data_plane import DataPlane
from halfsilver.harness.control.state.store import Store, StoreError
from halfsilver.harness.control.state.writer import Writer
from halfsilver.harness.errors import HalfsilverError
from tests.control.kits.data_plane_kit import Refusing
from tests.control.kits.serve_kit import COLLECTOR, DATABASE, INVENTORY, WEB

OWNER = Caller("111122223333", "arn:aws:iam::111122223333:user/ann", "AIDAEXAMPLE", "ann")
CREATE = "CreateTrafficMirrorFilter"


class Disk(Store):
    """A store of which the next commit fails, if it is told so."""

    full = False

    @contextmanager
    def begin(self, write=False, *, fresh=False):
        with super().begin(write, fresh=fresh) as transaction:
            yield transaction
            if write and self.full:
                self.full = False
                raise StoreError("the disk is full")


class Server:
    """A control plane whose writers wait until ``together`` lets them go on."""

    def __init__(self, path, stack, **options):
        self.store = stack.enter_context(closing(Disk(str(path))))
        self.engine, self.commits, self.next_commit_fails = Refusing(), 0, False
        self.loop = stack.enter_context(running_loop())
        self.inside, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        inventory = inventory_file.load(INVENTORY)
        self.plane = stack.enter_context(closing(DataPlane(lambda: self.engine, inventory.nic)))
        self.control = stack.enter_context(
            closing(
                Control(self.store, inventory, Settings(), self.plane, self.policies, committed=self.count, **options)
            )
        )

    def policies(self, caller):
        """Asked within the transaction."""
        self.inside.set()
        self.go_on.wait(60)
        return ADMINISTRATOR

    def count(self):
        self.commits += 1
        self.store.full = self.next_commit_fails

    def soon(self, operation, service="ec2", **parameters):
        """As on a server's event loop, which is a thread's here; futures are for this thread."""
        call = Call(service, operation, parameters, OWNER, str(uuid.uuid4()), "127.0.0.1", datetime.now(UTC))

        async def ask():
            return self.control.soon(call)

        found = asyncio.run_coroutine_threadsafe(ask(), self.loop).result(60)
        return asyncio.run_coroutine_threadsafe(wait_for(found), self.loop) if asyncio.isfuture(found) else found

    def do(self, operation, **parameters):
        return outcome(self.soon(operation, **parameters))

    @contextmanager
    def together(self):
        """What is asked for in here is a group: they wait for one that is held within its transaction."""
        self.inside.clear()
        self.go_on.clear()
        held = self.soon(CREATE, Description="held")
        assert self.inside.wait(60)
        yield
        # By the next round of the loop all that was asked is handed over.
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop).result(60)
        self.go_on.set()
        outcome(held)

    def filters(self):
        with self.store.begin() as transaction:
            return [record.document.get("Description") for record in transaction.find("filter")]


@contextmanager
def running_loop():
    with closing(asyncio.new_event_loop()) as loop:
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield loop
            asyncio.run_coroutine_threadsafe(all_done(), loop).result(60)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


async def all_done():
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)


async def wait_for(future):
    return await future


def outcome(future):
    assert isinstance(future, Future)
    return future.result(60)


def codes(futures):
    """What became of each: "OK", or the code of its error."""
    found = []
    for future in futures:
        error = future.exception(60)
        found.append("OK" if error is None else error.code if isinstance(error, ApiError) else type(error).__name__)
    return found


@pytest.fixture
def server(tmp_path):
    with ExitStack() as stack:
        yield Server(tmp_path / "state.sqlite", stack)


def test_who_comes_during_a_commit_shares_the_next_one(server):
    before, generation = server.commits, server.plane.state.generation
    with server.together():
        asked = [server.soon(CREATE, Description=str(number)) for number in range(20)]
    assert codes(asked) == ["OK"] * 20 and server.commits - before == 2
    assert server.filters() == ["held", *map(str, range(20))]
    assert server.plane.state.generation - generation == 21


def test_one_that_is_refused_leaves_no_trace_and_the_others_are_done(server):
    with server.together():
        asked = [
            server.soon(CREATE, Description="first"),
            server.soon(CREATE, Description="dry", DryRun=True),
            server.soon("DeleteTrafficMirrorFilter", TrafficMirrorFilterId="tmf-00000000000000000"),
            server.soon(CREATE, Description="last"),
        ]
    assert codes(asked) == ["OK", "DryRunOperation", "InvalidTrafficMirrorFilterId.NotFound", "OK"]
    assert server.filters() == ["held", "first", "last"]


def test_the_same_token_twice_in_a_group_is_one_change(server):
    with server.together():
        asked = [server.soon(CREATE, ClientToken="once") for _ in range(2)]
    assert outcome(asked[0]) == outcome(asked[1]) and len(server.filters()) == 2


def test_what_breaks_one_of_a_group_does_not_break_the_others(server):
    """A description that no operation is given by the protocols: a fault of the program."""
    with server.together():
        asked = [server.soon(CREATE, Description=each) for each in ("first", {"no": object()}, "last")]
    assert codes(asked)[::2] == ["OK", "OK"] and codes(asked)[1] not in ("OK", "ServiceUnavailable")
    assert server.filters() == ["held", "first", "last"]


def test_a_commit_that_fails_is_told_to_all_of_its_group_and_changes_nothing(server):
    with server.together():
        asked = [server.soon(CREATE, Description=str(number)) for number in range(3)]
        server.next_commit_fails = True
    assert codes(asked) == ["ServiceUnavailable"] * 3 and server.filters() == ["held"]
    with server.store.begin() as transaction:
        assert server.plane.state.generation == transaction.generation()


def parts_of(server):
    made = server.do(CREATE)["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    target = server.do("CreateTrafficMirrorTarget", NetworkInterfaceId=COLLECTOR)
    return {
        "TrafficMirrorFilterId": made,
        "TrafficMirrorTargetId": target["TrafficMirrorTarget"]["TrafficMirrorTargetId"],
    }


def test_an_engine_that_refuses_one_of_a_group_does_what_the_others_said(server):
    parts = parts_of(server)
    with server.together():
        asked = [server.soon("CreateTrafficMirrorSession", **parts, NetworkInterfaceId=WEB, SessionNumber=1)]
        asked += [server.soon(CREATE, Description="between")]
        asked += [server.soon("CreateTrafficMirrorSession", **parts, NetworkInterfaceId=DATABASE, SessionNumber=1)]
        server.engine.faults = [HalfsilverError("no")]
    assert codes(asked) == ["ServiceUnavailable", "OK", "OK"]
    carried = [each.eni_id for each in server.plane.state.nic.policy.interfaces if each.sessions]
    assert carried == [DATABASE] and server.engine.configured[-1] == server.plane.state.nic.policy


@contextmanager
def statements_of(store):
    """Those of the connection that the next one to write is given."""
    found = []
    with store.begin() as transaction:
        connection = transaction.connection.connection.driver_connection
    connection.set_trace_callback(found.append)
    yield found
    connection.set_trace_callback(None)


def test_a_create_alone_is_one_commit_without_parts_and_reads_each_object_once(server):
    """Counted in statements, which is what a change costs beside its commit."""
    parts = parts_of(server)
    with statements_of(server.store) as statements:
        server.do("CreateTrafficMirrorSession", **parts, NetworkInterfaceId=WEB, SessionNumber=1)
    assert (statements[0], statements[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
    others = [each.split()[0] for each in statements[1:-1]]
    assert Counter(others) - Counter(SELECT=len(others)) == Counter(INSERT=4, UPDATE=1)
    by_id = [each for each in statements if "halfsilver_records.document" in each and "halfsilver_records.id " in each]
    read = Counter(identifier for each in by_id for identifier in set(re.findall("'([a-z]+-[0-9a-f]{17})'", each)))
    assert {*parts.values(), WEB} <= set(read) and set(read.values()) == {1}


def test_what_is_refused_alone_is_rolled_back(server):
    with statements_of(server.store) as statements:
        assert codes([server.soon(CREATE, DryRun=True)]) == ["DryRunOperation"]
    assert statements[-1] == "ROLLBACK" and server.filters() == []


class Woken(asyncio.SelectorEventLoop):
    """An event loop that counts how often a thread wakes it."""

    woken = 0

    def call_soon_threadsafe(self, *arguments, **named):
        self.woken += 1
        return super().call_soon_threadsafe(*arguments, **named)


def test_an_event_loop_is_woken_once_for_a_group():
    inside, go_on = threading.Event(), threading.Event()

    def do(group):
        inside.set()
        go_on.wait(60)
        return [ApiError("Refused", "no") if each == "refused" else each for each in group]

    async def ask(writer):
        first = writer.soon("first")
        await asyncio.get_running_loop().run_in_executor(None, inside.wait, 60)
        others = [writer.soon(each) for each in ("refused", "unwanted", "last")]
        others[1].cancel()
        before = loop.woken
        go_on.set()
        found = await asyncio.gather(first, *others, return_exceptions=True)
        return found, loop.woken - before

    with closing(Woken()) as loop, closing(Writer(do)) as writer:
        found, woken = loop.run_until_complete(ask(writer))
    assert (found[0], found[3], woken) == ("first", "last", 2)
    assert isinstance(found[1], ApiError) and isinstance(found[2], asyncio.CancelledError)


def test_what_is_asked_in_one_round_of_a_loop_is_one_group():
    """However long the loop takes from one to the next: the thread is free, and does not begin without the others."""
    groups = []

    def do(group):
        groups.append(list(group))
        return group

    async def ask(writer):
        futures = []
        for name in ("first", "second", "third"):
            futures.append(writer.soon(name))
            time.sleep(0.05)  # lets the other thread run, and no other round of the loop
        return await asyncio.gather(*futures, writer.soon("last"))

    with closing(Writer(do)) as writer:
        assert asyncio.run(ask(writer)) == ["first", "second", "third", "last"]
    assert groups == [["first", "second", "third", "last"]]


def test_a_loop_that_is_closed_keeps_nobody_else_from_an_answer():
    inside, go_on = threading.Event(), threading.Event()

    def do(group):
        inside.set()
        go_on.wait(60)
        return group

    async def ask(writer):
        writer.soon("gone")

    with closing(Writer(do)) as writer:
        asyncio.run(ask(writer))
        assert inside.wait(60)
        go_on.set()
        assert writer.submit("here").result(60) == "here"


def test_what_is_short_is_at_hand_and_what_may_be_long_is_left_to_a_thread(server):
    made = server.do(CREATE)["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    shown = server.soon("DescribeTrafficMirrorFilters", TrafficMirrorFilterIds=[made])
    assert shown["TrafficMirrorFilters"][0]["TrafficMirrorFilterId"] == made
    for long in ({}, {"MaxResults": 5}, {"TrafficMirrorFilterIds": [made] * (FEW + 1)}):
        assert server.soon("DescribeTrafficMirrorFilters", **long) is None
    assert server.soon("DescribeAlarms", "cloudwatch") is None and server.soon("NoSuchOperation") is None
    with pytest.raises(ApiError) as refused:
        server.soon("DescribeTrafficMirrorFilters", TrafficMirrorFilterIds=["tmf-00000000000000000"])
    assert refused.value.code == "InvalidTrafficMirrorFilterId.NotFound"


def test_what_waits_for_another_server_is_left_to_a_thread(tmp_path):
    with ExitStack() as stack:
        shared = Server(tmp_path / "state.sqlite", stack, shared=True)
        assert shared.soon("DescribeTrafficMirrorFilters", TrafficMirrorFilterIds=["tmf-00000000000000000"]) is None


def test_what_is_left_to_a_thread_takes_its_token_once(tmp_path):
    with ExitStack() as stack:
        throttle = Throttle(0.02, lambda: 0.0)  # buckets of 2 and of 1
        throttled = Server(tmp_path / "state.sqlite", stack, throttle=throttle)
        assert throttled.soon("DescribeTrafficMirrorFilters") is None
        for _ in range(2):
            throttled.control.execute(
                Call("ec2", "DescribeTrafficMirrorFilters", {}, OWNER, "id", "", datetime.now(UTC))
            )
        throttled.do(CREATE)
        with pytest.raises(ApiError, match="limit exceeded"):
            throttled.soon(CREATE)


def test_a_server_that_closes_does_what_was_asked_before(tmp_path):
    with ExitStack() as stack:
        closing_server = Server(tmp_path / "state.sqlite", stack)
        asked = [closing_server.soon(CREATE) for _ in range(5)]
    assert codes(asked) == ["OK"] * 5


def test_one_who_does_not_want_it_any_more_keeps_nobody_from_theirs():
    done, go_on, inside = [], threading.Event(), threading.Event()

    def do(group):
        inside.set()
        go_on.wait(60)
        done.extend(group)
        return group

    with closing(Writer(do)) as writer:
        futures = [writer.submit("held")]
        assert inside.wait(60)
        futures += [writer.submit(each) for each in ("unwanted", "wanted")]
        assert futures[1].cancel()
        go_on.set()
        assert futures[2].result(60) == "wanted"
    assert done == ["held", "wanted"]
