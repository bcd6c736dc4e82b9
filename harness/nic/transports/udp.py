"""The driver's transport over Etherbone and UDP: datagrams may be lost, doubled and late, and nothing says so.

Reads carry a tag that their answers bring back; what has another one is an answer from before, and dropped. A read is
repeated until there is an answer, but for registers that show what they show once.

A write is not answered, so each datagram that writes also reads TABLE_COUNT, behind its writes: the answer says that
they are done, and that the card can take the next. If it does not come, either the datagram was lost or the answer, and
to write again is right in one case only: TABLE_DATA counts its address up, so the same words would go to the places
behind, and count in TABLE_CRC twice. So TABLE_COUNT, which says how many words have reached the tables, is asked for:
if it stands where it stood, the datagram was lost and is sent again; if it has moved by as many words as were in it,
only the answer was. What else there is to write is without harm when it comes twice (COMMIT is, where TABLE_CHECK
requires the CRC, as the driver has it), and is repeated as it is; it never shares a datagram with table words.

A datagram that the network delivers late, or twice, cannot be told from one that was sent: it changes TABLE_CRC, the
card refuses the commit, and the driver loads again.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from halfsilver.harness.errors import CardUnreachable, TransferDamaged
from halfsilver.harness.nic.transport import READ_ONCE, AnswerLost
from halfsilver.harness.nic.transports.etherbone import (
    ETHERBONE_PORT,
    HEADER,
    PROBE,
    PROBE_ANSWER,
    answer_words,
    read_record,
    write_record,
)
from halfsilver.harness.nic.transports.lock import claim
from halfsilver.harness.nic.transports.runs import MAX_WORDS, WORD_BYTES, runs
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["PATIENCE", "TRIES", "EtherboneTransport"]

PATIENCE = 0.25
"""Seconds that an answer may take."""

TRIES = 6
"""How often a datagram is sent before the card is given up."""

_PROBE_SECONDS = 4.0
"""The kernel knows after three that nobody has the address (ARP)."""

_MOST_BYTES = 1400
"""Of the records in a datagram: with headers and a VLAN tag it fits into Ethernet's 1,500. The card takes no fragments,
and 2,048 bytes."""

_RECEIVE_BYTES = 4096
_IP_RECVERR = 11
"""Linux's ip(7), which Python 3.11 has no name for: else a socket is not told that nobody has the address."""

_WORD_MASK = 0xFFFFFFFF
_COUNT = REGISTERS.address("TABLE_COUNT")
_DATA = REGISTERS.address("TABLE_DATA")
_TABLE = (REGISTERS.address("TABLE_ADDRESS"), _DATA)


class EtherboneTransport:
    """A card at an address, ours alone on this machine, that has answered a probe.

    host, port  where it listens
    patience    seconds that an answer may take; each is waited for TRIES times

    CardUnreachable, which says what to do, if there is no way to the host, or no answer. AnswerLost for the answer of a
    register in READ_ONCE; TransferDamaged if some of a datagram's table words arrived, but not as many as were in it.
    """

    def __init__(self, host: str, port: int = ETHERBONE_PORT, *, patience: float = PATIENCE) -> None:
        self._name, self._patience = f"{host}, UDP port {port}", patience
        self._tag = secrets.randbits(32)
        self._refusal: OSError | None = None
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise CardUnreachable(f"{host}: no such host ({error.strerror}): see that the name is right") from None
        self._lock = claim(f"udp {address[0]} {port}")
        self._socket = socket.socket(family, kind)
        try:
            if family == socket.AF_INET and sys.platform == "linux":
                self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            self._probe(address)
        except BaseException:
            self.close()
            raise

    def read(self, addresses: Sequence[int]) -> list[int]:
        words: list[int] = []
        for at in range(0, len(addresses), MAX_WORDS):
            words += self._read(addresses[at : at + MAX_WORDS])
        return words

    def write(self, pairs: Sequence[tuple[int, int]]) -> None:
        count: int | None = None
        for records, words in _datagrams(pairs):
            if words and count is None:
                count = self._read([_COUNT])[0]
            count = self._write(records, count, words)

    def close(self) -> None:
        self._socket.close()
        os.close(self._lock)

    def _read(self, addresses: Sequence[int]) -> list[int]:
        once = not READ_ONCE.isdisjoint(addresses)
        for _ in range(1 if once else TRIES):
            answer = self._exchange(b"", addresses)
            if answer is not None:
                return answer
        if once:
            raise AnswerLost(self._name)
        raise self._silent()

    def _write(self, records: bytes, before: int | None, words: int) -> int:
        """A datagram of writes, ``words`` of them to the tables; returns TABLE_COUNT after it."""
        for _ in range(TRIES):
            answer = self._exchange(records, [_COUNT])
            if answer is not None:
                return answer[0]
            if not words:
                continue
            assert before is not None
            found = self._read([_COUNT])[0]
            if found == before + words & _WORD_MASK:
                return found
            if found != before:
                arrived = found - before & _WORD_MASK
                raise TransferDamaged(f"{self._name}: of {words} table words {arrived} arrived: load again")
        raise self._silent()

    def _exchange(self, records: bytes, addresses: Sequence[int]) -> list[int] | None:
        """Send the records and one that reads; the words read, or None if they do not come in time."""
        self._tag = self._tag + 1 & _WORD_MASK
        self._send(HEADER + records + read_record(addresses, self._tag))
        for datagram in self._received(self._patience):
            answer = answer_words(datagram, len(addresses), self._tag)
            if answer is not None:
                return answer
        return None

    def _probe(self, address: Any) -> None:
        """See that somebody speaks Etherbone there."""
        until = time.monotonic() + _PROBE_SECONDS
        try:
            self._socket.connect(address)
        except OSError as error:
            self._refusal = error
            raise self._silent() from None
        while time.monotonic() < until:
            self._send(PROBE)
            if any(datagram == PROBE_ANSWER for datagram in self._received(self._patience)):
                return
            if self._refusal is not None:
                break
        raise self._silent()

    def _send(self, datagram: bytes) -> None:
        self._refusal = None
        try:
            self._socket.send(datagram)
        except OSError as error:  # of this datagram, or an ICMP message about the one before
            self._refusal = error

    def _received(self, seconds: float) -> Iterator[bytes]:
        """What comes within that time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                yield self._socket.recv(_RECEIVE_BYTES)
            except TimeoutError:
                return
            except OSError as error:
                self._refusal = error

    def _silent(self) -> CardUnreachable:
        """The error for a card that does not answer, with what the network said of it."""
        what, right = "no answer", "see that the card is on, has Etherbone in its bitstream, and this address"
        if self._refusal is not None:
            what = self._refusal.strerror or str(self._refusal)
            right = _REMEDIES.get(self._refusal.errno or 0, right)
        return CardUnreachable(f"{self._name}: {what}: {right}")


_REMEDIES = {
    errno.ECONNREFUSED: "that host is there, and no card: see that the address is right",
    errno.EHOSTUNREACH: "nobody has that address: see that the card is on and linked, and in this network",
    errno.ENETUNREACH: "this machine has no way there: give it an address in the card's network",
    errno.EACCES: "this machine's firewall or the address forbids it",
    errno.EPERM: "this machine's firewall or the address forbids it",
    errno.EMSGSIZE: "the network's MTU is less than 1,500 bytes, and the card takes no fragments",
}
"""What would be right, by what the kernel says."""


def _datagrams(pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[bytes, int]]:
    """Records of a datagram each, and how many words of it go to the tables. Those never share one with others."""
    for _, group in groupby(pairs, lambda pair: pair[0] in _TABLE):
        datagram, words = b"", 0
        for run in runs(list(group)):
            record = write_record(run)
            if len(datagram) + len(record) > _MOST_BYTES:
                yield datagram, words
                datagram, words = b"", 0
            datagram += record
            places = (
                [run.address] * len(run.words)
                if run.fixed
                else range(run.address, run.address + WORD_BYTES * len(run.words), WORD_BYTES)
            )
            words += places.count(_DATA)
        yield datagram, words
