"""Register writes in runs, as bursts carry them: to addresses that count up, or all to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["MAX_WORDS", "WORD_BYTES", "Run", "pack_words", "runs"]

MAX_WORDS = 255
"""Of a run: uartbone and Etherbone count them in a byte, and some cores take 0 for 256."""

WORD_BYTES = 4


class Run(NamedTuple):
    """Words from a byte address on; ``fixed``: all to that one."""

    address: int
    fixed: bool
    words: list[int]


def runs(pairs: Sequence[tuple[int, int]]) -> Iterator[Run]:
    """(Byte address, value) pairs, in order, in runs as long as they can be."""
    at = 0
    while at < len(pairs):
        first = pairs[at][0]
        fixed = at + 1 < len(pairs) and pairs[at + 1][0] == first
        stride = 0 if fixed else WORD_BYTES
        end = at + 1
        while end < min(len(pairs), at + MAX_WORDS) and pairs[end][0] == first + stride * (end - at):
            end += 1
        yield Run(first, fixed, [value for _, value in pairs[at:end]])
        at = end


def pack_words(words: Sequence[int]) -> bytes:
    """Most significant byte first."""
    return b"".join(word.to_bytes(WORD_BYTES, "big") for word in words)
