"""How large a request may be, in every direction in which one can grow."""

from __future__ import annotations

__all__ = [
    "MAX_BODY",
    "MAX_HEAD",
    "MAX_INDEX_DIGITS",
    "MAX_NESTING",
    "MAX_NUMBER_DIGITS",
    "MAX_PARAMETERS",
    "MAX_QUOTED",
]

MAX_BODY = 1 << 20
"""Bytes of a body."""
MAX_HEAD = 32 << 10
"""Bytes of path, query string, header names and header values together. A presigned request fits many times."""
MAX_PARAMETERS = 2_000
"""Parameters of a form, query string included: the thousand resources and tags of one CreateTags, and more."""
MAX_NESTING = 8
"""Structures, lists and maps inside one another. ``TagSpecification.1.Tag.1.Key`` is nested three deep."""
MAX_INDEX_DIGITS = 5
"""Digits of a list index in a form."""
MAX_NUMBER_DIGITS = 19
"""Digits of an integer: those of 2**63. Python takes quadratic time for the digits of a number."""
MAX_QUOTED = 100
"""Characters of a value that an error message repeats."""
