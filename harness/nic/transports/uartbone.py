"""Register accesses as LiteX's uartbone has them on a line of bytes, and the driver's transport made of them.

The protocol is described in ``hdl/bus/uartbone.py``, and in LiteX's ``litex/tools/remote/comm_uart.py``. It has no
acknowledgement, no check and no flow control: what arrived is asked for with registers of its own, and nothing may be
sent while an answer is under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from halfsilver.harness.errors import CardUnreachable
from halfsilver.harness.nic.transport import READ_ONCE, AnswerLost
from halfsilver.harness.nic.transports.runs import MAX_WORDS, WORD_BYTES, pack_words, runs

__all__ = ["TRIES", "ByteLine", "UartboneTransport", "read_command", "write_commands"]

TRIES = 3
"""How often a register is asked for before a card is given up."""

_PIECE_BYTES = 4096
"""What is handed to the line at once: whole commands, so that a pause between two pieces is inside of none."""

_WRITE, _READ, _WRITE_FIXED = 0x01, 0x02, 0x03


def write_commands(pairs: Sequence[tuple[int, int]]) -> list[bytes]:
    """Commands that write (byte address, value) pairs, in order; runs of addresses, or of one, are one command each."""
    return [
        _head(_WRITE_FIXED if run.fixed else _WRITE, len(run.words), run.address) + pack_words(run.words)
        for run in runs(pairs)
    ]


def read_command(address: int, count: int) -> bytes:
    """The command that reads ``count`` registers from a byte address on; its answer is four bytes of each."""
    return _head(_READ, count, address)


def _head(command: int, count: int, address: int) -> bytes:
    if not 1 <= count <= MAX_WORDS:
        raise ValueError(f"a command has 1 to {MAX_WORDS} words, not {count}")
    return bytes([command, count]) + (address // WORD_BYTES).to_bytes(4, "big")


class ByteLine(Protocol):
    """What carries the bytes: a serial port, or a line that is simulated."""

    @property
    def name(self) -> str:
        """For people: which line, and at which rate."""

    def send(self, octets: bytes) -> None:
        """Bytes to the card; nobody knows whether they arrive."""

    def ask(self, octets: bytes, count: int) -> bytes:
        """Send, and wait for an answer of ``count`` bytes: all of it, or as much as came in time."""

    def settle(self) -> None:
        """Be silent until the card begins a command anew, and forget what came."""

    def close(self) -> None:
        """Give the line back."""


class UartboneTransport:
    """The driver's transport over a line of bytes.

    A write returns when it is sent. A read whose answer does not come in time is repeated after a silence, TRIES times
    in all, but for registers that show what they show once. CardUnreachable if there is no answer; AnswerLost if there
    is none from such a register.
    """

    def __init__(self, line: ByteLine) -> None:
        self._line = line

    def write(self, pairs: Sequence[tuple[int, int]]) -> None:
        for piece in _pieces(write_commands(pairs)):
            self._line.send(piece)

    def read(self, addresses: Sequence[int]) -> list[int]:
        words: list[int] = []
        while len(words) < len(addresses):
            rest = addresses[len(words) : len(words) + MAX_WORDS]
            run = next((at for at, address in enumerate(rest) if address != rest[0] + WORD_BYTES * at), len(rest))
            words += self._read(rest[0], run)
        return words

    def close(self) -> None:
        self._line.close()

    def _read(self, address: int, count: int) -> list[int]:
        command, octets = read_command(address, count), WORD_BYTES * count
        once = not READ_ONCE.isdisjoint(range(address, address + octets, WORD_BYTES))
        answer = b""
        for _ in range(1 if once else TRIES):
            answer = self._line.ask(command, octets)
            if len(answer) == octets:
                return [int.from_bytes(answer[at : at + WORD_BYTES], "big") for at in range(0, octets, WORD_BYTES)]
            self._line.settle()
        if once:
            raise AnswerLost(self._line.name)
        came = f"{len(answer)} of {octets} bytes" if answer else "not a byte"
        raise CardUnreachable(
            f"{self._line.name}: the card does not answer, {TRIES} times ({came} came in time): see that it has power, "
            "that its bitstream is loaded and that nobody else uses the line"
        )


def _pieces(commands: Iterable[bytes]) -> Iterator[bytes]:
    """Whole commands, as many as go into a piece."""
    piece = b""
    for command in commands:
        if piece and len(piece) + len(command) > _PIECE_BYTES:
            yield piece
            piece = b""
        piece += command
    if piece:
        yield piece
