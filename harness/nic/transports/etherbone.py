"""Register accesses as Etherbone has them in a UDP datagram: bytes out, and what an answer says.

Etherbone: "Specification: EtherBone Core" 0.2 (GSI, CERN), in LiteX's form: version 1, byte addresses, 32-bit words,
everything big endian. The card's side is ``hdl/bus/etherbone``: a datagram is done whole or not at all, record by
record, of each its writes before its reads.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from halfsilver.harness.nic.transports.runs import MAX_WORDS, WORD_BYTES, Run, pack_words

__all__ = ["ETHERBONE_PORT", "HEADER", "PROBE", "PROBE_ANSWER", "answer_words", "read_record", "write_record"]

ETHERBONE_PORT = 1234
"""LiteX's."""

HEADER = bytes.fromhex("4e6f104400000000")
"""Magic, version, sizes of addresses and words, padding."""

PROBE = bytes.fromhex("4e6f114400000000")
"""Who speaks Etherbone? Both with eight bytes that matter, and LiteX's have no more."""
PROBE_ANSWER = bytes.fromhex("4e6f124400000000")

_TO_ONE_ADDRESS = 0x40
_ALL_BYTES = 0x0F
_HEAD = struct.Struct(">BBBB")
"""Of a record: flags, byte enable, writes, reads."""


def write_record(run: Run) -> bytes:
    """The record that writes a run."""
    head = _HEAD.pack(_TO_ONE_ADDRESS if run.fixed else 0, _ALL_BYTES, len(run.words), 0)
    return head + pack_words([run.address, *run.words])


def read_record(addresses: Sequence[int], tag: int) -> bytes:
    """The record that reads registers; the answer comes back with the tag, a number of 32 bits."""
    if not 1 <= len(addresses) <= MAX_WORDS:
        raise ValueError(f"a record has 1 to {MAX_WORDS} reads, not {len(addresses)}")
    return _HEAD.pack(0, _ALL_BYTES, 0, len(addresses)) + pack_words([tag, *addresses])


def answer_words(datagram: bytes, count: int, tag: int) -> list[int] | None:
    """The words of an answer; None if the datagram is not the whole answer to a record of ``count`` reads and this tag.

    It has to be one record of writes: whether more or less came, nobody knows what belongs to what.
    """
    head = _HEAD.pack(0, _ALL_BYTES, count, 0) + pack_words([tag])
    start = len(HEADER) + len(head)
    if not datagram.startswith(HEADER + head) or len(datagram) != start + WORD_BYTES * count:
        return None
    return [int.from_bytes(datagram[at : at + WORD_BYTES], "big") for at in range(start, len(datagram), WORD_BYTES)]
