"""Ids as AWS makes them: a prefix that names the kind, and 17 hexadecimal digits."""

from __future__ import annotations

from halfsilver.harness.control.operations.operation import Context

__all__ = ["PREFIXES", "new"]

PREFIXES = {"filter": "tmf", "rule": "tmfr", "session": "tms", "target": "tmt"}
"""Prefix of the ids of each kind of object that clients create."""
_KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}
_DIGITS = 17


def new(context: Context, prefix: str) -> str:
    """An id that no record has: a server whose random numbers start anew does not run into its earlier ones."""
    while True:
        identifier = f"{prefix}-{context.random.getrandbits(4 * _DIGITS):0{_DIGITS}x}"
        kind = _KINDS.get(prefix)
        if kind is None or context.transaction.get(kind, identifier) is None:
            return identifier
