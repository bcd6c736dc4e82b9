"""Who goes when there are too many of something: connections, TLS handshakes, bodies that are still to come.

Whoever waits for its client gives way, the one that has waited longest first. One address can take no more than its
share, so that a crowd from one place costs nobody elsewhere anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Bounds"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many there may be at once: ``most`` of all, ``each`` of one address."""

    most: int
    each: int

    def too_many(self, present: Collection[str], address: str) -> bool:
        """Whether these addresses of all that there are, one from ``address`` among them, are one too many."""
        return len(present) > self.most or self._over_share(present, address)

    def gives_way(self, present: Collection[str], address: str, waiting: Iterable[tuple[T, str]]) -> T | None:
        """Who makes room for a newcomer from ``address``; None if there is room, or nobody waits.

        present  addresses of all that there are, the newcomer among them
        waiting  those that wait for their clients, with their addresses, the longest first
        """
        if self._over_share(present, address):
            waiting = (each for each in waiting if each[1] == address)
        elif len(present) <= self.most:
            return None
        return next((who for who, _ in waiting), None)

    def _over_share(self, present: Collection[str], address: str) -> bool:
        return len(present) > self.each and sum(each == address for each in present) > self.each
