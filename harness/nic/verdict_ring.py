"""The verdict ring of a card: which verdicts it keeps, and those it has kept."""

from __future__ import annotations

from halfsilver.harness.errors import HalfsilverError, UsageError
from halfsilver.harness.nic.transport import Transport
from halfsilver.harness.verdict import VerdictRecord
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.register_map import WORD_BYTES
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["lost_verdicts", "ring_depth", "read_verdicts", "select_verdicts"]

_SELECT, _STATUS, _LOST = (REGISTERS.address(f"RING_{name}") for name in ("SELECT", "STATUS", "LOST"))
_DATA = [REGISTERS.address(f"RING_DATA_{word}") for word in range(4)]
_MOST = (1 << REGISTERS["RING_SELECT"].field("every").width) - 1


def select_verdicts(transport: Transport, shape: NicShape, every: int, session: tuple[int, int] | None) -> None:
    """Keep one in ``every`` of each direction from now on, of all verdicts or those of one session (ENI, session).

    The ring is emptied. UsageError for a number or a session that the card does not have.
    """
    if not 0 <= every <= _MOST:
        raise UsageError(f"one verdict in {every}: must be one in 1 to {_MOST}, or 0 for none")
    fields = {"every": every}
    if session is not None:
        eni, number = session
        if not 0 <= eni < shape.enis or not 0 <= number < shape.sessions:
            raise UsageError(
                f"ENI {eni}, session {number}: the card has {shape.enis} with {shape.sessions} each, from 0"
            )
        fields |= {"one_session": 1, "eni": eni, "session": number}
    transport.write([(_SELECT, REGISTERS.pack("RING_SELECT", **fields))])


def read_verdicts(transport: Transport, most: int | None = None) -> list[VerdictRecord]:
    """Take the verdicts that the ring has, oldest first; at most so many.

    Those that come while it is read are taken as well, so without ``most`` a card under traffic may keep the host busy.
    HalfsilverError for one that is none.
    """
    verdicts: list[VerdictRecord] = []
    while True:
        level = REGISTERS.unpack("RING_STATUS", transport.read([_STATUS])[0])["held"]
        if most is not None:
            level = min(level, most - len(verdicts))
        if not level:
            return verdicts
        for _ in range(level):
            words = transport.read(_DATA)
            verdicts.append(_record(b"".join(word.to_bytes(WORD_BYTES, "little") for word in words)))


def ring_depth(transport: Transport) -> int:
    """How many verdicts the ring holds."""
    return REGISTERS.unpack("RING_STATUS", transport.read([_STATUS])[0])["depth"]


def _record(wire: bytes) -> VerdictRecord:
    try:
        return VerdictRecord.from_bytes(wire)
    except ValueError as error:
        raise HalfsilverError(f"verdict record {wire.hex()} of the ring makes no sense: {error}") from None


def lost_verdicts(transport: Transport) -> int:
    """Verdicts that were selected and found the ring full, since the selection; wraps at 32 bits."""
    return transport.read([_LOST])[0]
