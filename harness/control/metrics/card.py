"""What passes a card by itself: its counters, read between the batches that the server sends, go into the book.

A reading is whole or it is not taken: its sums meet, as those of every snapshot do (``docs/mirroring.md`` section 9),
and nothing has gone back but where the card was opened again. So a word that a serial line has changed counts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from halfsilver.harness.control.metrics.book import MINUTE, Book
from halfsilver.harness.engine import Carrying
from halfsilver.harness.errors import HalfsilverError, TransferDamaged
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Port
from halfsilver.harness.report.counters import Balance, balances
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord

__all__ = ["COUNTER_SECONDS", "CardCounters", "Reading"]

COUNTER_SECONDS = 10.0
"""How often the counters of a card are read; a scrape and the console see what is at most so old."""

_LONGEST_BACK = timedelta(seconds=MINUTE / 2)
"""A difference belongs to the middle of the time in which it came to be, but no minute is changed that is long over."""


@dataclass(frozen=True, slots=True)
class Reading:
    """at       when the counters were read last; None before the first time, and for an engine that carries nothing
    trouble  why they cannot be read since then; None when they can
    """

    at: datetime | None = None
    trouble: str | None = None


class CardCounters:
    """Takes readings of one card after the other. Whoever shares it locks it.

    ``reading`` is replaced as a whole, so that others may look at it.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._policies: list[Policy] = []
        self._anew = True  # an engine was opened since the last reading: the card may have been reset
        self.reading = Reading()

    def opened(self) -> None:
        """The card is another one, or the same once more."""
        self._book.opened(goes_on=True)
        self._anew = True

    def configured(self, policy: Policy) -> bool:
        """The card judges by this policy from now on. Whether to read it at once, as an index means something else.

        What came between the last reading and that one is then of the policy before; but for what the card has done by
        the new one in the time of one command.
        """
        if not self._anew and self._policies and _names(policy).items() >= _names(self._policies[-1]).items():
            self._policies[-1] = policy
            return False
        self._policies.append(policy)
        return True

    def read(self, card: Carrying, records: Sequence[VerdictRecord] = ()) -> None:
        """Read it. HalfsilverError or OSError if it cannot be, which ``reading`` says too.

        records   of frames that the server has just sent: its minute is the present one
        """
        now = self._book.clock()
        since = timedelta() if records else max(timedelta(), now - (self.reading.at or now))  # a clock may go back
        try:
            counters = card.everything()
            self._check(counters)
        except (HalfsilverError, OSError) as error:
            self.reading = replace(self.reading, trouble=str(error))
            raise
        self._book.absorb(counters, self._policies, records, now - min(since / 2, _LONGEST_BACK))
        del self._policies[:-1]
        self._anew = False
        self.reading = Reading(now)

    def _check(self, counters: Counters) -> None:
        """TransferDamaged for what no card can have counted."""
        wrong = next((each for each in _sums(counters) if not each.holds), None)
        if wrong is not None:
            raise TransferDamaged(f"the card's counters were read damaged: {wrong}")
        if not self._anew and self._book.went_back(counters):
            self._book.forget()  # this reading is wrong, or the one before it was
            raise TransferDamaged("the card's counters were read damaged: some are less than they were")


def _names(policy: Policy) -> dict[tuple[object, ...], str]:
    """Ids by index: of interfaces, sessions, and rules with their direction."""
    found: dict[tuple[object, ...], str] = {}
    for eni, interface in enumerate(policy.interfaces):
        found[eni,] = interface.eni_id
        for number, session in enumerate(interface.sessions):
            found[eni, number] = session.session_id
            for direction, rules in ((Direction.INGRESS, session.ingress), (Direction.EGRESS, session.egress)):
                found.update(((eni, number, direction, place), rule.rule_id) for place, rule in enumerate(rules))
    return found


def _sums(counters: Counters) -> list[Balance]:
    entered = {way: counters.passed(port) for port in Port if port.enters and (way := port.direction) is not None}
    guarded = (Direction.INGRESS, Verdict.DROPPED) in counters.verdicts
    return balances(counters, entered, guarded=guarded)[:-1]  # the last one's copies have still to leave
