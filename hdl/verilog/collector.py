"""Elaboration without the search for cycles of objects.

Amaranth makes some millions of objects, and all of them stay until the text is written: a third of the time and more
would go into looking for garbage among them.
"""

import gc
from contextlib import contextmanager

__all__ = ["without_collector"]


@contextmanager
def without_collector():
    """Python looks for no garbage in the block; afterwards it does as before, also after an exception."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
