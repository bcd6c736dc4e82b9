"""What the card will show of the words that are sent to its tables: their CRC and their count."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import TABLE_PLACE

__all__ = ["TableSum", "sum_writes"]

_ADDRESS = REGISTERS.address("TABLE_ADDRESS")
_DATA = REGISTERS.address("TABLE_DATA")
_INDICES = 1 << REGISTERS["TABLE_ADDRESS"].field("index").width
_WORD = struct.Struct("<II")

TableSum = tuple[int, int]
"""CRC and count."""


def sum_writes(writes: Iterable[tuple[int, int]], bank: int) -> TableSum:
    """TABLE_CRC and TABLE_COUNT after these register writes (byte address, value), of which each reaches ``bank``.

    The first must be one of TABLE_ADDRESS.
    """
    words = bytearray()
    table = index = place = 0
    following = TABLE_PLACE.pack(index=1)
    for address, value in writes:
        if address == _ADDRESS:
            fields = REGISTERS.unpack("TABLE_ADDRESS", value)
            table, index = fields["table"], fields["index"]
            place = TABLE_PLACE.pack(index=index, table=table, bank=bank)
        elif address == _DATA:
            words += _WORD.pack(place, value)
            index = (index + 1) % _INDICES
            place = place + following if index else TABLE_PLACE.pack(table=table, bank=bank)
    return zlib.crc32(words), len(words) // _WORD.size
