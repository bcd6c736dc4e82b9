"""Register accesses as LiteX's uartbone has them on a serial line: bytes out, and how many come back.

The protocol is described in ``hdl/bus/uartbone.py``, and in LiteX's ``litex/tools/remote/comm_uart.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["MAX_WORDS", "read_command", "write_commands"]

MAX_WORDS = 255
"""Of a command. With none a core of LiteX's would take it for 256."""

_WRITE, _READ, _WRITE_FIXED = 0x01, 0x02, 0x03
_WORD_BYTES = 4


def write_commands(pairs: Sequence[tuple[int, int]]) -> bytes:
    """Commands that write (byte address, value) pairs, in order; runs of addresses, or of one, are one command each."""
    octets = bytearray()
    at = 0
    while at < len(pairs):
        first = pairs[at][0]
        stride = 0 if at + 1 < len(pairs) and pairs[at + 1][0] == first else _WORD_BYTES
        end = at + 1
        while end < min(len(pairs), at + MAX_WORDS) and pairs[end][0] == first + stride * (end - at):
            end += 1
        octets += _head(_WRITE if stride else _WRITE_FIXED, end - at, first)
        for _, value in pairs[at:end]:
            octets += value.to_bytes(_WORD_BYTES, "big")
        at = end
    return bytes(octets)


def read_command(address: int, count: int) -> bytes:
    """The command that reads ``count`` registers from a byte address on; its answer is four bytes of each."""
    return _head(_READ, count, address)


def _head(command: int, count: int, address: int) -> bytes:
    if not 1 <= count <= MAX_WORDS:
        raise ValueError(f"a command has 1 to {MAX_WORDS} words, not {count}")
    return bytes([command, count]) + (address // _WORD_BYTES).to_bytes(4, "big")
