"""THE driver of the card: load and commit a policy, read the counters, over any transport."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from halfsilver.harness.errors import CardUnreachable, TransferDamaged
from halfsilver.harness.nic.board import BoardState, read_board
from halfsilver.harness.nic.counters import read_counters
from halfsilver.harness.nic.identity import Card, identify
from halfsilver.harness.nic.image import Image, policy_image, table_writes
from halfsilver.harness.nic.table_sum import sum_writes
from halfsilver.harness.nic.transport import Transport
from halfsilver.harness.nic.verdict_ring import lost_verdicts, read_verdicts, ring_depth, select_verdicts
from halfsilver.harness.nic.waiting import wait_while
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Counters, Flags
from halfsilver.harness.verdict import VerdictRecord
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["ATTEMPTS", "Driver"]

ATTEMPTS = 3
"""How often a load is tried, and how often a commit is asked for, before a damaged line is given up."""

_STATUS = REGISTERS.address("STATUS")
_REFUSED = REGISTERS.address("REFUSED_WRITES")
_COMMIT = REGISTERS.address("COMMIT")
_SUM = [REGISTERS.address("TABLE_CRC"), REGISTERS.address("TABLE_COUNT")]
_EXPECTED = REGISTERS.address("EXPECTED_CRC")
_CHECK = REGISTERS.address("TABLE_CHECK")
_REFUSED_MASK = REGISTERS["REFUSED_WRITES"].mask
_GENERATIONS = (1 << REGISTERS["STATUS"].field("generation").width) - 1


class Driver:
    """A card behind a transport.

    WrongCard, before anything is written, if it is none that this driver knows. Nobody else may write to the card
    meanwhile: of each table bank the driver keeps what it has written, and writes only what differs from that. What
    a bank held before is unknown, so the first load of either bank is a whole one.

    The transport may lose and change what is sent: the card is told beforehand what the words' CRC will be and commits
    nothing else, even if a damaged command should ask for it.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.card: Card = identify(transport)
        self._banks: dict[int, Image] = {}
        self._generation: int | None = None

    def load(self, policy: Policy, flags: Flags = DEFAULT_FLAGS) -> int:
        """Write a policy into the shadow bank and commit it; returns its generation.

        CapacityExceeded, before anything is written, if the policy does not fit the card. HalfsilverError if the bank
        stays in use. TransferDamaged if writes were refused, if what arrived is not what was sent, or if the commit
        did not happen, ``ATTEMPTS`` times. CardUnreachable, at once, if the way to the card is gone. After any error
        the card still judges by the rule set it had, unless it was lost while it committed, which the error says; and
        the next load writes the bank as a whole.
        """
        image = policy_image(policy, flags, self.card.shape)
        failures: list[TransferDamaged] = []
        while len(failures) < ATTEMPTS:
            try:
                return self._load(image)
            except TransferDamaged as error:
                failures.append(error)
        raise TransferDamaged(f"{failures[-1]}, {ATTEMPTS} times; the rule set before it stays in force")

    def _load(self, image: Image) -> int:
        with _unreachable("the rule set before it stays in force"):
            status = self._await_shadow()
            shadow = 1 - status["active_bank"]
            banks, self._banks = self._banks, {}  # until all is well: even which bank is written may have been misread
            if status["generation"] != self._generation:  # somebody else has committed: the banks' words are not known
                banks.clear()
            known = banks.pop(shadow, {})
            self._fill(table_writes(image, known), shadow)
        with _unreachable("the card was committing: whether the new rule set is in force is not known"):
            self._generation = self._commit(status["generation"] + 1 & _GENERATIONS)
        self._banks = {**banks, shadow: {**known, **image}}
        return self._generation

    def _fill(self, writes: list[tuple[int, int]], shadow: int) -> None:
        """Write the shadow bank, and see that all of it arrived there."""
        crc, count = sum_writes(writes, shadow)
        refused_before = self._transport.read([_REFUSED])[0]
        check = [(_EXPECTED, crc), (_CHECK, REGISTERS.pack("TABLE_CHECK", required=1))]
        self._transport.write(check + writes)
        found_crc, found_count, refused_after = self._transport.read([*_SUM, _REFUSED])
        if (found_crc, found_count) == (crc, count):
            return
        refused = refused_after - refused_before & _REFUSED_MASK
        if refused and refused + found_count == count:
            raise TransferDamaged(f"the NIC refused {refused} of {count} table writes")
        raise TransferDamaged(
            f"of {count} table writes {found_count} reached the NIC, with CRC {found_crc:#010x} instead of {crc:#010x}"
        )

    def _commit(self, expected: int) -> int:
        """Commit; the card does so once, however often it hears of it. Returns the generation."""
        for _ in range(ATTEMPTS):
            self._transport.write([(_COMMIT, REGISTERS.pack("COMMIT", go=1))])
            generation = REGISTERS.unpack("STATUS", self._transport.read([_STATUS])[0])["generation"]
            if generation == expected:
                return generation
        raise TransferDamaged(f"after the commit the NIC shows generation {generation}, not {expected}")

    def in_force(self) -> bool:
        """Whether the card judges by what this driver has loaded last; a damaged answer alone does not say no."""
        readings = (self._transport.read([_STATUS])[0] for _ in range(ATTEMPTS))
        return any(REGISTERS.unpack("STATUS", word)["generation"] == self._generation for word in readings)

    def counters(self, *, twice: bool = False) -> Counters:
        """All counters that are not zero, totals since the card's reset, of one moment (`read_counters`)."""
        return read_counters(self._transport, self.card.shape, twice=twice)

    def board(self) -> BoardState | None:
        """Links, frames on the wire and faults of the serial line; None for a core without ports of its own."""
        return read_board(self._transport)

    def select_verdicts(self, every: int = 1, session: tuple[int, int] | None = None) -> None:
        """What the verdict ring keeps from now on: one in ``every``, of one session if it is named; 0: nothing."""
        select_verdicts(self._transport, self.card.shape, every, session)

    def read_verdicts(self, most: int | None = None) -> list[VerdictRecord]:
        """Take the verdicts, ``most`` at most, that the ring has; oldest first."""
        return read_verdicts(self._transport, most)

    def ring_depth(self) -> int:
        """How many verdicts the ring holds."""
        return ring_depth(self._transport)

    def lost_verdicts(self) -> int:
        """Verdicts since the selection that the ring could not hold."""
        return lost_verdicts(self._transport)

    def _await_shadow(self) -> dict[str, int]:
        """Wait until no copy uses the shadow bank; returns the fields of STATUS."""
        problem = "the NIC's shadow tables stay busy: a copy of the previous rule set never left"
        return wait_while(self._transport, "STATUS", "shadow_busy", problem)


@contextlib.contextmanager
def _unreachable(consequence: str) -> Iterator[None]:
    """What it means for the rule set if the card is lost in here."""
    try:
        yield
    except CardUnreachable as error:
        raise CardUnreachable(f"{error}; {consequence}") from None
