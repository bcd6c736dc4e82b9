"""A board of a labgrid lab as an engine."""

from __future__ import annotations

from contextlib import ExitStack

from halfsilver.harness.bench.labgrid import acquired
from halfsilver.harness.engines.board import drive
from halfsilver.harness.engines.card import CardEngine
from halfsilver.harness.engines.registry import Request
from halfsilver.harness.errors import UsageError

__all__ = ["open_place"]


def open_place(request: Request) -> CardEngine:
    """``labgrid://PLACE``: the board of a place, which is acquired until the engine is closed.

    Errors are those of `acquired`, and of a board of the bench file.
    """
    slashes, _, place = request.argument.rpartition("/")
    if slashes != "/" or not place:
        raise UsageError(f"{request.name}: must be labgrid://PLACE")
    stack = ExitStack()
    return drive(stack.enter_context(acquired(place)), request, stack)
