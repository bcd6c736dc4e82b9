"""When a driver goes and when it pauses."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["Pace", "always", "bursts", "never", "now_and_then"]

Pace = Callable[[], bool]
"""Asked once per clock: go (True) or pause."""


def always() -> bool:
    """No pause."""
    return True


def never() -> bool:
    """Pause all the time."""
    return False


def now_and_then(probability: float) -> Pace:
    """Go in each clock with this probability."""
    return lambda: random.random() < probability


def bursts(longest: int) -> Pace:
    """Runs of going and of pausing, each 1 to ``longest`` clocks."""
    going, left = False, 0

    def pace() -> bool:
        nonlocal going, left
        if not left:
            going, left = not going, random.randint(1, longest)
        left -= 1
        return going

    return pace
