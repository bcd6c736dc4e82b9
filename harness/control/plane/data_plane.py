"""The engine behind the API: told of a change before it is committed, brought up to date when it is behind.

    with data_plane.change() as apply:
        with store.begin(write=True) as transaction:
            ...                          # the operation
            apply(transaction)           # the engine takes the policy, or ApiError and nothing is kept
                                         # commit
    # an exception on the way, the commit's included: the engine is back at the policy before

No frame is judged between ``apply`` and the commit: ``process`` waits for the end of the change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from halfsilver.harness.control.metrics.book import Book
from halfsilver.harness.control.metrics.card import CardCounters, Reading
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.plane.nic_policy import NicPolicy, concerns, read_nic_policy
from halfsilver.harness.control.state.store import Transaction
from halfsilver.harness.engine import Carrying, Engine, Identity, Result
from halfsilver.harness.errors import CapacityExceeded, HalfsilverError, RigError, TransferDamaged, UsageError
from halfsilver.harness.records import Frame

__all__ = ["Apply", "DataPlane", "EngineState", "Judged"]

Apply = Callable[[Transaction], None]
"""Bring the engine to what a transaction has made of the store. ApiError if the engine cannot take it."""

_LIMITS = {
    "rules": "TrafficMirrorFilterRuleLimitExceeded",
    "sessions": "TrafficMirrorSessionsPerInterfaceLimitExceeded",
}
"""What a client is told when the policy needs more of something than the engine has."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the engine does.

    nic         the policy that it judges by; None before the first
    generation  of the store, whose policy that is
    seen        newest generation of the store that was offered to it; above ``generation`` it is behind
    trouble     why it is behind, or broken; None when all is well
    identity    who it is; None while there is no engine
    """

    nic: NicPolicy | None = None
    generation: int = -1
    seen: int = -1
    trouble: str | None = None
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a batch, the policy by which it was judged, and the generation of the store with that policy."""

    result: Result
    nic: NicPolicy
    generation: int


class DataPlane:
    """One engine, shared by all threads.

    open_engine  makes an engine that is not configured; called again when an engine broke, or when the NIC is to
                 carry other interfaces than before
    interfaces   ids of the NIC's interfaces in index order
    book         what the engines count is entered there
    """

    def __init__(
        self, open_engine: Callable[[], Engine], interfaces: Sequence[str] = (), book: Book | None = None
    ) -> None:
        self.book = Book() if book is None else book
        self._card = CardCounters(self.book)
        self._open_engine = open_engine
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._loaded: NicPolicy | None = None  # what is in the engine; None while that is in doubt
        self._interfaces = tuple(interfaces)
        self._state = EngineState()

    @property
    def state(self) -> EngineState:
        """Consistent in itself: it is replaced as a whole."""
        return self._state

    @property
    def reading(self) -> Reading:
        """When the counters of a card were read last, and why they cannot be."""
        return self._card.reading

    @contextmanager
    def change(self, interfaces: Sequence[str] | None = None) -> Iterator[Apply]:
        """Around a transaction that may change the policy, see above; ``interfaces``: the NIC carries these then."""
        with self._lock:
            before, carried = self._state, self._interfaces
            self._interfaces = carried if interfaces is None else tuple(interfaces)
            try:
                yield self._apply
            except BaseException:
                self._interfaces = carried
                if self._state is not before:
                    self._go_back(before)
                raise

    def preview(self, transaction: Transaction) -> NicPolicy:
        """What the engine would do by what a transaction has made of the store. ApiError if no engine could."""
        try:
            return read_nic_policy(transaction, self._interfaces, self._state.nic)
        except (HalfsilverError, OSError) as error:
            raise _refusal(error) from error

    def follow(self, transaction: Transaction) -> None:
        """Bring the engine to the stored policy, however it came there.

        HalfsilverError or OSError if it cannot be; ``state`` says so too, and it does what it did before.
        """
        with self._lock:
            generation = transaction.generation()
            state = self._state
            if generation < state.seen or (generation == state.generation and state.trouble is None):
                return
            try:
                self._take(read_nic_policy(transaction, self._interfaces, self._state.nic), generation)
            except (HalfsilverError, OSError) as error:
                self._state = replace(self._state, seen=generation, trouble=str(error))
                raise

    def process(self, frames: Sequence[Frame]) -> Judged:
        """Judge a batch. HalfsilverError if the engine is down, or breaks."""
        with self._lock:
            state = self._state
            if self._engine is None or state.nic is None:
                raise HalfsilverError(f"the engine is down: {state.trouble or 'it has no policy yet'}")
            try:
                result = self._engine.process(frames)
            except (HalfsilverError, OSError) as error:
                self._discard(str(error))
                raise
            if isinstance(self._engine, Carrying):
                with suppress(HalfsilverError, OSError):  # ``reading`` has it; the next one has the frames
                    self._card.read(self._engine, result.verdicts)
            else:
                self.book.absorb(result.counters, [state.nic.policy], result.verdicts)
            return Judged(result, state.nic, state.generation)

    def read_counters(self) -> None:
        """Take what an engine has counted that carries others' frames; ``reading`` says how that went.

        A card that is not there any more, or was reset, is given up, and opened again by the next ``follow``.
        """
        with self._lock:
            if isinstance(self._engine, Carrying) and self._loaded is not None:
                try:
                    self._card.read(self._engine)
                except (HalfsilverError, OSError) as error:
                    if isinstance(error, RigError | OSError) and not isinstance(error, TransferDamaged):
                        self._discard(str(error))

    def close(self) -> None:
        with self._lock:
            self._discard("the server is closed")

    def _apply(self, transaction: Transaction) -> None:
        generation = transaction.generation()
        if self._unconcerned(transaction, generation):
            self._state = replace(self._state, generation=generation, seen=generation)
            return
        try:
            self._take(read_nic_policy(transaction, self._interfaces, self._state.nic), generation)
        except (CapacityExceeded, UsageError) as error:
            # A stored policy that was too large before stays so until several changes have made it smaller.
            if self._state.trouble is None:
                raise _refusal(error) from error
            self._state = replace(self._state, seen=generation, trouble=str(error))
        except (HalfsilverError, OSError) as error:
            raise _refusal(error) from error

    def _unconcerned(self, transaction: Transaction, generation: int) -> bool:
        """Whether nothing has changed since the engine's policy was read, this transaction included, that it needs."""
        state = self._state
        return (
            state.nic is not None
            and state.trouble is None
            and state.nic.carried == self._interfaces
            and generation == state.generation + 1
            and not any(concerns(state.nic, each) for each in transaction.changed)
        )

    def _take(self, wanted: NicPolicy, generation: int) -> None:
        """Configure the engine; after an error it does what it did before."""
        before = self._state
        try:
            self._configure(wanted)
        except BaseException:
            self._go_back(before)
            raise
        self._state = EngineState(wanted, generation, generation, identity=self._state.identity)

    def _go_back(self, state: EngineState) -> None:
        """The policy of ``state`` again, with a new engine if this one does not take it."""
        self._state = state
        for _ in range(2):
            if state.nic is None:
                break
            try:
                self._configure(state.nic)
                return
            except (HalfsilverError, OSError) as error:
                self._discard(str(error))
        self._discard(self._state.trouble)

    def _configure(self, nic: NicPolicy) -> None:
        """Write the policy into the engine, unless it is in there; a NIC with other interfaces is a new engine."""
        interfaces = nic.policy.interfaces
        if self._engine is not None and self._loaded is not None:
            if self._loaded.policy.interfaces == interfaces:
                return
            if self._loaded.carried != nic.carried:
                self._discard(self._state.trouble)
        if self._engine is None:
            self._engine = self._open_engine()
            if isinstance(self._engine, Carrying):
                self._card.opened()
            else:
                self.book.opened()
        before, self._loaded = self._loaded, None
        try:
            self._engine.configure(nic.policy)
        except CapacityExceeded:
            self._loaded = before
            raise
        self._loaded = nic
        self._state = replace(self._state, identity=self._engine.identify())
        if isinstance(self._engine, Carrying) and self._card.configured(nic.policy):
            with suppress(HalfsilverError, OSError):  # ``reading`` has it; the policy is in force
                self._card.read(self._engine)

    def _discard(self, trouble: str | None) -> None:
        if self._engine is not None:
            self._engine.close()
        self._engine = self._loaded = None
        self._state = replace(self._state, trouble=trouble, identity=None)


def _refusal(error: HalfsilverError | OSError) -> ApiError:
    """What a client is told when the engine did not take its change."""
    if isinstance(error, CapacityExceeded) and error.resource in _LIMITS:
        return ApiError(_LIMITS[error.resource], f"The mirror engine cannot take the change: {error}.")
    return ApiError(
        "ServiceUnavailable", f"The mirror engine cannot take the change, nothing was changed: {error}.", 503
    )
