"""Draws that everything here is made of. All take the random generator, so that a seed gives the same again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["beside", "filler", "flip", "happens", "often"]

T = TypeVar("T")


def happens(rng: random.Random, one_in: int) -> bool:
    """True once in so many times."""
    return rng.randrange(one_in) == one_in - 1


def often(rng: random.Random, usual: Sequence[T], others: Sequence[T], one_in: int = 4) -> T:
    """One of the usual values; once in ``one_in`` times one of the others."""
    return rng.choice(others if happens(rng, one_in) else usual)


def flip(rng: random.Random, octets: bytes) -> bytes:
    """The same bytes but for one bit."""
    value = int.from_bytes(octets, "big") ^ 1 << rng.randrange(8 * len(octets))
    return value.to_bytes(len(octets), "big")


def beside(rng: random.Random, value: int, bits: int) -> int:
    """A near miss of a number: one less, one more, its bytes swapped, or one bit flipped."""
    whole = 1 << bits
    swapped = int.from_bytes(value.to_bytes(bits // 8, "big"), "little")
    return rng.choice((value - 1, value + 1, swapped, value ^ 1 << rng.randrange(bits))) % whole


def filler(rng: random.Random, length: int) -> bytes:
    """Bytes without meaning, from one draw however many they are."""
    return random.Random(rng.getrandbits(32)).randbytes(length)
