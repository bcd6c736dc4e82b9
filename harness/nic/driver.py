"""THE driver of the card: load and commit a policy, read the counters, over any transport."""

from __future__ import annotations

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.nic.counters import read_counters
from halfsilver.harness.nic.identity import Card, identify
from halfsilver.harness.nic.image import Image, policy_image, table_writes
from halfsilver.harness.nic.transport import Transport
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Counters, Flags
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["Driver"]

_BUSY_POLLS = 10_000
_STATUS = REGISTERS.address("STATUS")
_REFUSED = REGISTERS.address("REFUSED_WRITES")
_COMMIT = REGISTERS.address("COMMIT")
_REFUSED_MASK = REGISTERS["REFUSED_WRITES"].mask
_GENERATIONS = (1 << REGISTERS["STATUS"].field("generation").width) - 1


class Driver:
    """A card behind a transport.

    WrongCard, before anything is written, if it is none that this driver knows. Nobody else may write to the card
    meanwhile: of each table bank the driver keeps what it has written, and writes only what differs from that. What
    a bank held before is unknown, so the first load of either bank is a whole one.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.card: Card = identify(transport)
        self._banks: dict[int, Image] = {}
        self._generation: int | None = None

    def load(self, policy: Policy, flags: Flags = DEFAULT_FLAGS) -> int:
        """Write a policy into the shadow bank and commit it; returns its generation.

        CapacityExceeded, before anything is written, if the policy does not fit the card. HalfsilverError if the bank
        stays in use, if writes were refused, or if the commit did not happen: the card then still judges by the rule
        set it had, and the next load writes the bank as a whole.
        """
        image = policy_image(policy, flags, self.card.shape)
        status = self._await_shadow()
        shadow = 1 - status["active_bank"]
        if status["generation"] != self._generation:  # somebody else has committed: what the banks hold is not known
            self._banks.clear()
        known = self._banks.pop(shadow, {})
        refused_before = self._transport.read([_REFUSED])[0]
        self._transport.write(table_writes(image, known))
        refused = self._transport.read([_REFUSED])[0] - refused_before & _REFUSED_MASK
        if refused:
            raise HalfsilverError(f"the NIC refused {refused} table writes; nothing was committed")
        self._transport.write([(_COMMIT, REGISTERS.pack("COMMIT", go=1))])
        word = self._transport.read([_STATUS])[0]
        generation, expected = REGISTERS.unpack("STATUS", word)["generation"], status["generation"] + 1 & _GENERATIONS
        if generation != expected:
            raise HalfsilverError(f"after the commit the NIC shows generation {generation}, not {expected}")
        self._banks[shadow] = {**known, **image}
        self._generation = generation
        return generation

    def counters(self) -> Counters:
        """All counters that are not zero, totals since the card's reset."""
        return read_counters(self._transport, self.card.shape)

    def _await_shadow(self) -> dict[str, int]:
        """Wait until no copy uses the shadow bank; returns the fields of STATUS."""
        for _ in range(_BUSY_POLLS):
            status = REGISTERS.unpack("STATUS", self._transport.read([_STATUS])[0])
            if not status["shadow_busy"]:
                return status
        raise HalfsilverError("the NIC's shadow tables stay busy: a copy of the previous rule set never left")
