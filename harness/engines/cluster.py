"""Lots on a Dask scheduler, somebody's or one of this machine's own; what is made of them comes back in order.

A lot goes there with its bytes, so that workers need no file of ours. It is read twice: for how many frames it has, and
to be judged, once the lots before it are counted. Imports Dask, which is the extra ``farm``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

import dask
from distributed import Client, Future, LocalCluster
from distributed.scheduler import KilledWorker

from halfsilver.harness.engines.jobs import Judge, LotLike
from halfsilver.harness.errors import EnvironmentMissing

__all__ = ["LOCAL", "ClusterJobs", "connect"]

LOCAL = "local"
CONNECT_SECONDS = 10


@contextmanager
def connect(scheduler: str, workers: int) -> Iterator[Client]:
    """A client of ``scheduler``; EnvironmentMissing if it does not answer. LOCAL: of a cluster that ends with this."""
    one_each = {"distributed.scheduler.worker-saturation": 1.0, "distributed.scheduler.allowed-failures": 0}
    with dask.config.set(one_each | {"distributed.worker.daemon": False}):
        if scheduler == LOCAL:
            with (
                LocalCluster(workers, threads_per_worker=1, dashboard_address=None) as cluster,
                Client(cluster) as client,
            ):
                yield client
            return
        try:
            client = Client(scheduler, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise EnvironmentMissing(f"no Dask scheduler at {scheduler}: {error}") from None
        with client:
            yield client


class _Loadable(LotLike, Protocol):
    def loaded(self) -> Any:
        """With its bytes, for who has not the files."""


_Part = TypeVar("_Part")
Opens = Callable[[], Judge[Any, Any]]


@dataclass(slots=True)
class _Sent:
    """A lot on the cluster: its number and bytes, how many frames it has, and what is made of it."""

    number: int
    lot: Future[Any]
    count: Future[int]
    part: Future[Any] | None = None


class ClusterJobs(Generic[_Part]):
    """Judges lots by the workers of ``client``, at most two at a time for each; ``opens`` makes a worker's judge."""

    def __init__(self, client: Client, opens: Opens) -> None:
        self._client, self._opening = client, _Opening(token_hex(8), opens)
        self._most = 2 * max(1, len(client.scheduler_info()["workers"]))
        self._sent: deque[_Sent] = deque()
        self._first = 1

    def run(self, lots: Iterable[_Loadable]) -> Iterator[_Part]:
        """What is made of each lot, in order; an error where it belongs. EnvironmentMissing if workers are lost."""
        for number, lot in enumerate(lots):
            data = self._client.scatter(lot.loaded(), hash=False)
            count = self._client.submit(_count, self._opening, data, pure=False)
            self._sent.append(_Sent(number, data, count))
            while len(self._sent) >= (1 if lot.waits else self._most):
                yield self._next()
        while self._sent:
            yield self._next()

    def _next(self) -> _Part:
        """What is made of the first lot; those behind it are on their way before it is awaited."""
        try:
            for sent in self._sent:
                if sent.part is None:
                    frames = sent.count.result()
                    judged = self._opening, sent.lot, sent.number, self._first
                    sent.part = self._client.submit(_judge, *judged, pure=False)
                    self._first += frames
            first = self._sent.popleft()
            assert first.part is not None
            part: _Part = first.part.result()
            return part
        except KilledWorker as error:
            raise EnvironmentMissing(f"the Dask scheduler lost a worker that judged frames: {error}") from None


@dataclass(frozen=True, slots=True)
class _Opening:
    """How the judge of one run is made; a worker has it until there is another run."""

    run: str
    opens: Opens

    def judge(self) -> Judge[Any, Any]:
        if self.run not in _judges:
            while _judges:
                _judges.popitem()[1].close()
            _judges[self.run] = self.opens()
        return _judges[self.run]


_judges: dict[str, Judge[Any, Any]] = {}
"""Of a worker: that of its last run."""
_one_at_a_time = Lock()


def _count(opening: _Opening, lot: Any) -> int:
    with _one_at_a_time:
        return opening.judge().count(lot)


def _judge(opening: _Opening, lot: Any, number: int, first: int) -> Any:
    with _one_at_a_time:
        judge = opening.judge()
        judge.count(lot)
        return judge.judge(number, first)
