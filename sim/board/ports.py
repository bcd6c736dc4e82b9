"""The two Ethernet ports of a virtual board, between the simulated NIC and its links."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection

from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.sim.board.links import Link
from halfsilver.sim.board.stream import StreamPump

__all__ = ["Ports"]

_MOST_WAITING = 256
"""Frames that wait to go in; while there are as many, links are not read."""


class Ports:
    """Frames that come by a link go into the card as they come; what leaves goes out by a link, in order.

    net, host  the links. What leaves marked bad is counted and left out, as the receiver of a frame with a wrong FCS
               does.
    room       bytes, of frames that go in before all of them, and their copies, are out again

    The clock does not run while nothing is under way, so frames that come one by one all day would stand back to back
    in the card's time, and their copies find no gap to leave in. ``room`` is what gives them one.
    """

    def __init__(self, pump: StreamPump, net: Link, host: Link, room: int) -> None:
        self._pump = pump
        self._room = room
        self._inside = 0  # bytes, since the card was at rest
        self._waiting: deque[Frame] = deque()
        self._from = {Direction.INGRESS: net, Direction.EGRESS: host}
        self._to = {Direction.INGRESS: host, Direction.EGRESS: net}
        self.marked_bad: Counter[Direction] = Counter()

    @property
    def busy(self) -> bool:
        """Something waits to go in, or has yet to come out: the clock has to run."""
        return bool(self._waiting) or self._pump.busy

    @property
    def whole(self) -> bool:
        """Both links are there or come back by themselves."""
        return all(link.present or link.reading() for link in self._from.values())

    def reading(self) -> list[int]:
        if len(self._waiting) >= _MOST_WAITING:
            return []
        return [file for link in self._from.values() for file in link.reading()]

    def writing(self) -> list[int]:
        return [file for link in self._from.values() for file in link.writing()]

    def take_in(self, ready: Collection[int]) -> None:
        """Take what has come by the links that are ready, and hand the card what it has room for."""
        for direction, link in self._from.items():
            if not set(ready).isdisjoint(link.reading()):
                self._waiting += [Frame(data, direction) for data in link.receive()]
        if not self._pump.busy:
            self._inside = 0
        portion: list[Frame] = []
        while self._waiting and (not self._inside or self._inside + len(self._waiting[0].data) <= self._room):
            portion.append(self._waiting.popleft())
            self._inside += len(portion[-1].data)
        if portion:
            self._pump.give(portion)

    def give_out(self) -> None:
        """Hand to the links what has left the card."""
        for left in self._pump.take():
            if left.bad:
                self.marked_bad[left.direction] += 1
            else:
                self._to[left.direction].send(left.data)
        for link in self._from.values():
            link.flush()

    def mend(self) -> None:
        for link in self._from.values():
            link.mend()

    def close(self) -> None:
        for link in self._from.values():
            link.close()

    def counts(self) -> dict[str, dict[str, int]]:
        """Frames of each port since the start, by what became of them."""
        outputs = {"net": Direction.EGRESS, "host": Direction.INGRESS}
        zeros = dict.fromkeys(("received", "sent", "lost", "too long"), 0)
        return {
            name: {**zeros, **self._to[output].counts, "marked bad": self.marked_bad[output]}
            for name, output in outputs.items()
        }
