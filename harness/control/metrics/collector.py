"""Once a minute: what the data plane has counted goes into the store, old minutes fall out of it, alarms are looked at.

A minute is written when it has ended. Whatever is counted in the minute under way is lost if the server is killed;
a server that ends by itself writes it, and goes on with it after its start.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from halfsilver.harness.control.metrics.book import MINUTE, Book, Clock, EndpointKey, SessionKey, minute_of
from halfsilver.harness.control.metrics.history import KEPT
from halfsilver.harness.control.state.minutes import EndpointMinute, Minute
from halfsilver.harness.control.state.record import Kind
from halfsilver.harness.control.state.store import Store, Transaction
from halfsilver.harness.records import METRICS

__all__ = ["Collector"]

Evaluate = Callable[[Transaction, datetime], None]
"""Look at the alarms, after the minutes that ended before this moment were written."""


class Collector:
    """Writes the minutes of a book. Threads may share it.

    carried   the sessions that the engine has at this moment, none while it is down: they have a zero for a minute in
              which nothing was mirrored
    evaluate  called in the transaction that wrote a minute
    read      brings the book up to date when a minute has ended
    reached   of these sessions, by id, those whose copies come through to their target
    """

    def __init__(
        self,
        store: Store,
        book: Book,
        carried: Callable[[], Sequence[SessionKey]],
        clock: Clock,
        evaluate: Evaluate,
        read: Callable[[], None],
        reached: Callable[[set[str]], set[str]],
    ) -> None:
        self._store = store
        self._book = book
        self._carried = carried
        self._clock = clock
        self._evaluate = evaluate
        self._read = read
        self._reached = reached
        self._lock = threading.Lock()
        self._minute = minute_of(clock())
        self._unwritten: dict[tuple[int, SessionKey], Counter[str]] = {}
        self._sent: Counter[tuple[int, str]] = Counter()

    def collect(self) -> None:
        """Write what has ended since the last call. StoreError, and then the next call writes it."""
        with self._lock:
            now = self._clock()
            minute = minute_of(now)
            if minute == self._minute:
                return
            self._read()
            ended = minute if minute > self._minute else None  # a clock that went back has ended all minutes
            self._keep(self._book.take(ended))
            self._send(self._book.take_endpoints(ended))
            for key in self._carried():
                self._keep({(minute - MINUTE, key): Counter(dict.fromkeys(METRICS, 0))})
            self._write(now)
            self._minute = minute

    def finish(self) -> None:
        """Write what there is, the minute under way included."""
        with self._lock:
            self._read()
            self._keep(self._book.take())
            self._send(self._book.take_endpoints())
            self._write(self._clock())

    def _keep(self, more: dict[tuple[int, SessionKey], Counter[str]]) -> None:
        for key, sums in more.items():
            self._unwritten.setdefault(key, Counter(dict.fromkeys(METRICS, 0))).update(sums)

    def _send(self, more: dict[tuple[int, EndpointKey], int]) -> None:
        """To endpoints; what is lost on the way there is not theirs."""
        reached = self._reached({session for _, (_, session) in more}) if more else set()
        for (minute, (endpoint, session)), octets in more.items():
            if session in reached:
                self._sent[minute, endpoint] += octets

    def _write(self, now: datetime) -> None:
        oldest = minute_of(now - KEPT)
        self._unwritten = {key: sums for key, sums in self._unwritten.items() if key[0] >= oldest}
        if not self._unwritten and not self._watched():
            return
        with self._store.begin(write=True) as transaction:
            transaction.minutes.add(self._rows(transaction))
            transaction.minutes.add_endpoints(self._endpoint_rows(transaction))
            transaction.minutes.forget(oldest)
            self._evaluate(transaction, now)
        self._unwritten.clear()
        self._sent.clear()

    def _watched(self) -> bool:
        with self._store.begin() as transaction:
            return transaction.count(Kind.ALARM) > 0

    def _rows(self, transaction: Transaction) -> Iterable[Minute]:
        interfaces = {
            record.id: record
            for record in transaction.find(
                Kind.INTERFACE, identifiers=sorted({interface for _, (interface, _) in self._unwritten})
            )
        }
        for (minute, (interface, session)), sums in sorted(self._unwritten.items()):
            record = interfaces.get(interface)
            if record is not None:  # else it has gone with its sessions
                instance = record.document.get("Attachment", {}).get("InstanceId", "")
                yield Minute(minute, session, interface, instance, record.account, dict(sums))

    def _endpoint_rows(self, transaction: Transaction) -> Iterable[EndpointMinute]:
        for record in transaction.find(Kind.ENDPOINT, identifiers=sorted({endpoint for _, endpoint in self._sent})):
            for (minute, endpoint), octets in self._sent.items():
                if endpoint == record.id:
                    yield EndpointMinute(minute, endpoint, record.account, octets)
