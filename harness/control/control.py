"""One request, one moment: may they, do it, tell the engine, commit; and what must happen beside requests.

Who writes while a commit waits for the disk is of the next one: what came meanwhile is committed together.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import datetime
from typing import Any

from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.cloudwatch.states import evaluate_all
from halfsilver.harness.control.iam.authorization import Check, authorize, require
from halfsilver.harness.control.iam.policies import Policies
from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.inventory.inventory_file import Inventory
from halfsilver.harness.control.metrics.book import Clock, SessionKey, Totals, utc_now
from halfsilver.harness.control.metrics.card import COUNTER_SECONDS
from halfsilver.harness.control.metrics.collector import Collector
from halfsilver.harness.control.metrics.history import Point, series
from halfsilver.harness.control.operations.call import Call, Caller, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context, Operation, Roles
from halfsilver.harness.control.operations.perform import perform
from halfsilver.harness.control.operations.throttling import Throttle
from halfsilver.harness.control.plane.data_plane import Apply, DataPlane, Judged
from halfsilver.harness.control.plane.nic_policy import NicPolicy
from halfsilver.harness.control.plane.status import describe_engine
from halfsilver.harness.control.state.store import Store, StoreError, Transaction
from halfsilver.harness.control.state.writer import Writer
from halfsilver.harness.engine import Identity
from halfsilver.harness.errors import CapacityExceeded, HalfsilverError, UsageError
from halfsilver.harness.policy.policy import find_obstacles
from halfsilver.harness.records import Frame

__all__ = ["Control", "POLL_SECONDS"]

POLL_SECONDS = 0.5
"""How often the engine is held against the store: changes of other servers, and engines that broke."""

_PATIENT = 3
"""Times that a reading takes, the card is left alone behind it: over a slow line, changes of the policy go first."""

FEW = 10
"""Ids of a request that is answered at once."""


class Control:
    """The control plane of one server. Threads may share it. Whoever made store and engine closes them.

    store       the state
    inventory   put into the store
    data_plane  brought to what the store says, at the start and after each change
    policies    what binds a caller
    roles       who lets callers assume roles, None where there are none
    shared      other servers write to the store too
    restore     puts another policy in the place of the stored one at the start; UsageError if it does not fit here
    committed   called after every committed change and before the client has its answer, one call at a time
    throttle    refuses requests that come too fast; None: there are none
    poll        seconds, see POLL_SECONDS
    clock       by which minutes of the metrics end
    counters    seconds, see COUNTER_SECONDS

    UsageError: the inventory is not for these settings. HalfsilverError: the engine cannot be used. A stored policy
    that is only too large for it is no error: ``status`` shows it, and the API is there to change it.
    """

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        settings: Settings,
        data_plane: DataPlane,
        policies: Callable[[Caller], Policies],
        *,
        roles: Roles | None = None,
        shared: bool = False,
        restore: Callable[[Transaction], None] | None = None,
        committed: Callable[[], None] | None = None,
        throttle: Throttle | None = None,
        poll: float = POLL_SECONDS,
        clock: Clock = utc_now,
        counters: float = COUNTER_SECONDS,
    ) -> None:
        self.settings = settings
        self.policies = policies
        self._roles = roles
        self._store = store
        self._data_plane = data_plane
        self._shared = shared
        self._committed = committed
        self._throttle = throttle
        self._random = random.SystemRandom()
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._ways = inventory.ways
        self._start(inventory, restore)
        self._collector = Collector(
            store, data_plane.book, self._carried, clock, evaluate_all, data_plane.read_counters, self._reached
        )
        self._counters = counters
        self._writer: Writer[tuple[Operation, Call], dict[str, Any]] = Writer(self._write)
        self._poller = threading.Thread(target=self._poll, args=(poll,), name="halfsilver-poll", daemon=True)
        self._poller.start()

    def execute(self, call: Call) -> dict[str, Any]:
        """The result of an operation, after its commit. ApiError, and then nothing has changed."""
        operation = self._find(call)
        return self._writer.submit((operation, call)).result() if operation.writes else self._read(operation, call)

    def soon(self, call: Call) -> dict[str, Any] | asyncio.Future[dict[str, Any]] | None:
        """The same for the event loop that is running: the result of what is short, a future where a commit is due.

        None: a thread is to ``execute`` it, as it may be long, or wait for another server. ApiError.
        """
        operation = OPERATIONS.get((call.service, call.operation))
        if operation is None or not (operation.writes or self._is_short(call)):
            return None
        self._find(call)
        return self._writer.soon((operation, call)) if operation.writes else self._read(operation, call)

    def _is_short(self, call: Call) -> bool:
        """It reads a few objects of this server's own file, by their ids."""
        if self._shared or call.service == "cloudwatch":
            return False
        named = [value for name, value in call.parameters.items() if name.endswith("Ids")]
        return len(named) == 1 and 0 < len(named[0]) <= FEW

    def _read(self, operation: Operation, call: Call) -> dict[str, Any]:
        try:
            self._catch_up(call)
            with self._store.begin() as transaction:
                return self._perform(operation, call, transaction)[0]
        except StoreError as error:
            raise _unavailable(error) from error

    def _write(self, group: Sequence[tuple[Operation, Call]]) -> list[dict[str, Any] | Exception]:
        """One commit for a group, of which each is done or refused by itself; one alone needs no part of its own."""
        outcomes: list[dict[str, Any] | Exception] = []
        begun = False
        try:
            self._catch_up(*(call for _, call in group))
            mirrors = any(operation.mirrors for operation, _ in group)
            with self._writing:
                with self._moment(mirrors) as (transaction, apply):
                    begun = True
                    for operation, call in group:
                        try:
                            with transaction.part() if len(group) > 1 else nullcontext():
                                outcomes.append(self._change(operation, call, transaction, apply))
                        except ApiError as error:
                            if len(group) == 1:
                                raise
                            outcomes.append(error)
                self._tell()
        except Exception as error:
            if begun and len(outcomes) < len(group) > 1:
                # Nothing is committed: whoever of them it is, the others are not to suffer.
                return [outcome for each in group for outcome in self._write([each])]
            return [_unavailable(error) if isinstance(error, StoreError) else error] * len(group)
        return outcomes

    def _change(self, operation: Operation, call: Call, transaction: Transaction, apply: Apply) -> dict[str, Any]:
        """An operation, and the engine has what it changed."""
        result, is_new = self._perform(operation, call, transaction)
        if is_new and operation.mirrors:
            transaction.advance()
            apply(transaction)
        return result

    def _perform(self, operation: Operation, call: Call, transaction: Transaction) -> tuple[dict[str, Any], bool]:
        there, settings = transaction.of_region(call.region), self.settings.within(call.region)
        context = Context(there, call, settings, self._random, self._roles)
        authorize(context, self.policies(call.caller), operation.on)
        return perform(operation, context)

    def rehearse(self, call: Call) -> tuple[NicPolicy, NicPolicy]:
        """What the NIC is to do, and what it would be after an operation, which is then undone.

        ApiError as of ``execute``, and where no engine could do it. The engine is not told: what it alone would refuse
        (a build with less room) is not found out.
        """
        operation = self._find(call)
        policies: list[NicPolicy] = []
        try:
            with suppress(_Undone), self._writing, self._store.begin(write=True) as transaction:
                policies.append(self._data_plane.preview(transaction))
                self._perform(operation, call, transaction)
                policies.append(self._data_plane.preview(transaction))
                raise _Undone
        except StoreError as error:
            raise _unavailable(error) from error
        before, after = policies
        return before, after

    def reload(self, inventory: Inventory) -> None:
        """Another inventory file: other objects, the NIC's interfaces, and sessions that end or stop with what is gone.

        UsageError, ApiError or StoreError, and then all is as before.
        """
        with self._writing:
            with self._data_plane.change(inventory.nic) as apply, self._store.begin(write=True) as transaction:
                if inventory_file.synchronize(transaction, inventory, self.settings):
                    transaction.advance()
                apply(transaction)
            self._ways = inventory.ways
            self._tell()

    def process(self, frames: Sequence[Frame]) -> Judged:
        """Judge frames by the stored policy. HalfsilverError if the engine is down."""
        self._catch_up()
        return self._data_plane.process(frames)

    def nic(self) -> NicPolicy:
        """What the NIC carries and does. HalfsilverError if the engine is down."""
        nic = self._data_plane.state.nic
        if nic is None:
            raise HalfsilverError(f"the engine is down: {self._data_plane.state.trouble}")
        return nic

    def totals(self) -> Totals:
        """What has been counted since the server began."""
        return self._data_plane.book.totals()

    def history(self, start: datetime, end: datetime, account: str, region: str) -> dict[str, list[Point]]:
        """Minute by minute, by session of a region: see ``metrics.history.series``. ApiError: the store cannot be read.

        region  as a call has it
        """
        try:
            with self._store.begin() as transaction:
                return series(transaction.of_region(region), start, end, account=account)
        except StoreError as error:
            raise _unavailable(error) from error

    def engine(self) -> Identity | None:
        """Who the engine is; None while there is none."""
        return self._data_plane.state.identity

    def permit(self, call: Call, action: str) -> None:
        """ApiError unless the caller's policies allow the action on ``*``: for what is no operation of ours."""
        require(call, self.settings.within(call.region), self.policies(call.caller), [Check(action, "*")])

    def status(self, account: str | None = None) -> dict[str, Any]:
        """What the engine does, see ``status.describe_engine``; of one account's interfaces and sessions, or of all."""
        state = self._data_plane.state
        return describe_engine(state, self._data_plane.reading, account, self._obstacles())

    def _obstacles(self) -> Mapping[str, Sequence[str]]:
        """What keeps copies from their targets, by session; none of a session that the engine has no more."""
        nic = self._data_plane.state.nic
        return {} if nic is None else find_obstacles({**nic.documents, **self._ways}, nic.carried)

    def _reached(self, sessions: set[str]) -> set[str]:
        obstacles = self._obstacles()
        return {each for each in sessions if not obstacles.get(each)}

    def unready(self) -> str | None:
        """Why policies cannot be stored or are not done at the moment, in one line; None when they are."""
        try:
            with self._store.begin() as transaction:
                transaction.generation()
        except StoreError as error:
            return str(error)
        trouble = self._data_plane.state.trouble
        if trouble is not None:
            return f"the engine does not do what is stored: {trouble}"
        unread = self._data_plane.reading.trouble
        return None if unread is None else f"the engine's counters cannot be read: {unread}"

    def close(self) -> None:
        """Finish what is to be written, stop looking after the engine, and write what it has counted."""
        self._writer.close()
        self._closed.set()
        self._poller.join()
        with suppress(StoreError):
            self._collector.finish()

    def _start(self, inventory: Inventory, restore: Callable[[Transaction], None] | None) -> None:
        with self._store.begin(write=True) as transaction:
            changed = inventory_file.synchronize(transaction, inventory, self.settings)
            if restore is not None:
                restore(transaction)
            transaction.session_view.define(self.settings.region)
            if changed or restore is not None:
                transaction.advance()
        with suppress(CapacityExceeded, UsageError), self._store.begin() as transaction:
            self._data_plane.follow(transaction)
        self._tell()

    def _find(self, call: Call) -> Operation:
        """The operation of a call, which counts for the throttling."""
        operation = OPERATIONS.get((call.service, call.operation))
        if operation is None:
            raise ApiError("InvalidAction", f"The action {call.operation} is not valid for this web service.")
        if self._throttle is not None:
            self._throttle.take(call)
        return operation

    @contextmanager
    def _moment(self, mirrors: bool) -> Iterator[tuple[Transaction, Apply]]:
        """The moment at which something is written: a transaction, committed at the end, and what tells the engine.

        The engine is changed with the store or not at all.
        """
        with ExitStack() as stack:
            apply = stack.enter_context(self._data_plane.change()) if mirrors else _nothing
            yield stack.enter_context(self._store.begin(write=True)), apply

    def _tell(self) -> None:
        if self._committed is not None:
            self._committed()

    def _catch_up(self, *calls: Call) -> None:
        """Take up what another server has committed, and count what the calls ask for.

        An engine that cannot says so in its state.
        """
        if any(call.service == "cloudwatch" for call in calls):
            self._collector.collect()
        if self._shared:
            with self._store.begin() as transaction:
                if transaction.generation() != self._data_plane.state.seen:
                    with suppress(HalfsilverError, OSError):
                        self._data_plane.follow(transaction)

    def _poll(self, seconds: float) -> None:
        due = time.monotonic() + self._counters
        while not self._closed.wait(seconds):
            began = time.monotonic()
            if began >= due:
                self._data_plane.read_counters()
                ended = time.monotonic()
                due = max(began + self._counters, ended + _PATIENT * (ended - began))
            if self._shared or self._data_plane.state.trouble is not None:
                # A store that cannot be reached is told to whoever asks for something.
                with suppress(HalfsilverError, OSError), self._store.begin() as transaction:
                    self._data_plane.follow(transaction)
            with suppress(StoreError):
                self._collector.collect()

    def _carried(self) -> list[SessionKey]:
        """The sessions that the engine has, none while it is down."""
        state = self._data_plane.state
        if state.nic is None or state.identity is None:
            return []
        return [(each.eni_id, session.session_id) for each in state.nic.policy.interfaces for session in each.sessions]


class _Undone(Exception):
    """Ends a transaction of which nothing is to be kept."""


def _nothing(transaction: Transaction) -> None:
    """The engine is not told of what cannot change what it does."""


def _unavailable(error: StoreError) -> ApiError:
    return ApiError("ServiceUnavailable", f"{error}.", 503)
