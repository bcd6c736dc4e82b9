"""A card as an engine: its registers over a transport, its two ports over two wires.

Frames go in on the wire of their side and are awaited on the other, where copies come as well; the records of the
verdict ring, read over the registers, say which frames were mirrored. ``halfsilver.harness.bench`` sends, gathers and
sorts; here it becomes what every engine gives.

Frames are offered in portions, the next one when all of the last have a verdict and have come out: at most a quarter of
the ring, so that frames of others find room in it as well, and half of the copy buffer, so that no copy meets
congestion. A host is never sent more than that at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace

from halfsilver.harness.bench.exchange import Exchange
from halfsilver.harness.bench.recording import SIDES, Recorder
from halfsilver.harness.bench.wire import Wire
from halfsilver.harness.engine import Identity, Progress, Result
from halfsilver.harness.errors import CardUnreachable, HalfsilverError, RigError, UsageError
from halfsilver.harness.nic.counters import difference
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.nic.identity import Card
from halfsilver.harness.nic.matching import outer_octets
from halfsilver.harness.nic.transport import Transport
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Counters, Flags, Frame, Tally
from halfsilver.harness.verdict import Direction, VerdictRecord, is_stopped

__all__ = ["PATIENCE", "CardEngine"]

PATIENCE = 3.0
"""Seconds without anything new before what is missing is given up."""

_PORTION_FRAMES = 64
_RING_SHARE, _BUFFER_SHARE = 4, 2
_SEQUENCES, _GENERATIONS = 1 << 32, 1 << 16


class CardEngine:
    """A card behind ``transport``, with a wire on its network port and one on its host port.

    name      as on the command line; ``detail`` is for people
    patience  see PATIENCE; a simulation needs more
    release   called by ``close`` at last: gives back what the transport rests on
    recorder  writes down all that goes over transport and wires

    Sequence numbers, generation and counters begin with the engine, whatever the card has done before; frames of others
    that pass the card are in none of them.

    RigError (exit code 4) if the card does not answer, a wire is gone, frames did not reach the card, or this host or
    the verdict ring has lost some; HalfsilverError for a frame or copy that came out changed, twice, out of order or
    not at all. A frame that is shorter than any on its wire is padded with zeros, and judged so.
    """

    def __init__(
        self,
        transport: Transport,
        net: Wire,
        host: Wire,
        *,
        name: str,
        detail: str = "",
        patience: float = PATIENCE,
        release: Callable[[], None] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        if recorder is not None:
            recorder.begin(name, patience, net, host)
            transport = recorder.transport(transport)
            net, host = (recorder.wire(side, wire) for side, wire in zip(SIDES, (net, host), strict=True))
        self._driver = Driver(transport)
        self._check_links()
        self._wires = {Direction.INGRESS: net, Direction.EGRESS: host}
        self._name, self._detail, self._patience, self._release = name, detail, patience, release
        self._shortest = max(net.shortest, host.shortest)
        self._depth = self._driver.ring_depth()
        self._policy: Policy | None = None
        self._first_generation = 0
        self._before = Counters()
        self._others = Counters()
        self._reported = Counters()
        self._sequence: dict[Direction, int] = {}
        self._offered = dict.fromkeys(Direction, 0)
        self._whole = True  # nothing is left of a batch that failed

    @property
    def card(self) -> Card:
        """What the card says of itself."""
        return self._driver.card

    def identify(self) -> Identity:
        """The card, and to how many bytes frames are padded on the way to it (``shortest_frame``)."""
        card = self._driver.card
        detail = f"{card.detail}, {self._detail}" if self._detail else card.detail
        return Identity(self._name, detail, {**asdict(card.shape), "shortest_frame": self._shortest})

    def configure(self, policy: Policy, flags: Flags = DEFAULT_FLAGS) -> int:
        """Write a policy into the shadow tables and commit it; errors are those of `Driver.load`."""
        loaded = self._driver.load(policy, flags)
        if self._policy is None:
            self._first_generation = loaded
            self._begin_anew()
        self._policy = policy
        return self._of_ours(loaded)

    def process(self, frames: Sequence[Frame], progress: Progress | None = None) -> Result:
        """Judge a batch. One that fails is not counted, and the next one begins anew."""
        if self._policy is None:
            raise UsageError("the engine has no policy yet: configure comes before process")
        ours = [self._as_sent(number, frame) for number, frame in enumerate(frames, 1)]
        stale = self._forget_others()
        self._whole = False
        exchange = Exchange(self._driver, self._wires, self._policy, self._depth, self._patience)
        done = 0
        for portion in self._portions(ours):
            exchange.offer(portion)
            done += len(portion)
            if progress is not None:
                progress(done, len(frames))
        found, records, others = exchange.finish()
        self._check_sequence(exchange.records)
        for record in others:
            self._others.count(
                record, outer_octets(record, self._policy), stopped=is_stopped(record, self._policy.guarded)
            )
        self._reported = self._counters()
        verdicts = [self._renumbered(record) for record in records]
        production = self._production(ours, records)
        self._whole = True
        return Result(found.outputs, verdicts, self._reported, production=production, noise=found.noise + stale)

    def everything(self) -> Counters:
        """What the card has counted since its reset, each counter read twice; RigError if it is not as it was left."""
        if not self._driver.in_force():
            raise RigError(f"{self._name}: the card was reset, or somebody else has loaded it")
        return self._driver.counters(twice=True)

    def close(self) -> None:
        """Give back wires and transport; the card goes on with its rule set."""
        for wire in self._wires.values():
            wire.close()
        if self._release is not None:
            self._release()

    def _check_links(self) -> None:
        """CardUnreachable if a port of the card has no link; one that has no ports of its own is not asked."""
        board = self._driver.board()
        for port, state in (board.ports if board is not None else {}).items():
            if not state.up:
                why = "" if state.clock else ", and its PHY gives no clock"
                raise CardUnreachable(
                    f"the card's {port} port has no link{why}: see that its cable is in, and that the other end is up"
                )

    def _as_sent(self, number: int, frame: Frame) -> Frame:
        """As it is on its wire; UsageError for what no host's port can send."""
        if frame.bad or frame.dropped:
            mark = "bad" if frame.bad else "dropped by a security group"
            raise UsageError(f"frame {number} of the batch is marked {mark}: no port of a host sends such a mark")
        if not frame.data:
            raise UsageError(f"frame {number} of the batch has no bytes, which no wire carries")
        return replace(frame, data=frame.data.ljust(self._shortest, b"\0"))

    def _portions(self, frames: Sequence[Frame]) -> Iterator[list[Frame]]:
        most = max(1, min(_PORTION_FRAMES, self._depth // _RING_SHARE))
        octets_most = self._driver.card.shape.queue_depth // _BUFFER_SHARE
        portion: list[Frame] = []
        octets = 0
        for frame in frames:
            if portion and (len(portion) == most or octets + len(frame.data) > octets_most):
                yield portion
                portion, octets = [], 0
            portion.append(frame)
            octets += len(frame.data)
        if portion:
            yield portion

    def _forget_others(self) -> int:
        """What others have sent since the last batch, and what is left of one that failed, is not part of this one.

        Returns how much of it has come.
        """
        stale = sum(len(wire.receive(0)) for wire in self._wires.values())
        if self._driver.read_verdicts(1) or self._driver.lost_verdicts() or not self._whole:
            self._begin_anew()
        return stale

    def _begin_anew(self) -> None:
        """From here on the card's counters, sequence numbers and ring are looked at."""
        self._driver.select_verdicts()
        self._sequence.clear()
        self._before = difference(self._driver.counters(), self._reported)
        self._others = Counters()

    def _counters(self) -> Counters:
        """Of our frames alone, which are never bad."""
        return difference(difference(self._driver.counters(), self._before), self._others, all_good=True)

    def _check_sequence(self, records: dict[Direction, list[VerdictRecord]]) -> None:
        """HalfsilverError for a gap in the numbers of a direction."""
        for way, batch in records.items():
            for record in batch:
                expected = self._sequence.get(way, record.sequence)
                if record.sequence != expected:
                    raise HalfsilverError(
                        f"{self._name}: a verdict of an {way} frame has sequence number {record.sequence}, "
                        f"not {expected}"
                    )
                self._sequence[way] = (expected + 1) % _SEQUENCES

    def _renumbered(self, record: VerdictRecord) -> VerdictRecord:
        sequence = self._offered[record.direction]
        self._offered[record.direction] += 1
        return replace(record, sequence=sequence % _SEQUENCES, generation=self._of_ours(record.generation))

    def _of_ours(self, generation: int) -> int:
        return (generation - self._first_generation + 1) % _GENERATIONS

    def _production(self, frames: Sequence[Frame], records: Sequence[VerdictRecord]) -> dict[Direction, Tally]:
        """Of the batch what had to come out, which has come out unchanged."""
        passed = {way: Tally() for way in Direction}
        for frame, record in zip(frames, records, strict=True):
            if self._policy is not None and not is_stopped(record, self._policy.guarded):
                passed[frame.direction].add(len(frame.data))
        return passed
