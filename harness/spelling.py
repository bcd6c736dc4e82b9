"""What a name that nobody knows was probably meant to be.

Every reader of something a user wrote refuses the names it does not know, and says the nearest that it does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest", "rather"]

LIKENESS = 0.6
"""How alike two names must be for one to be a misspelling of the other (difflib's ratio, and its own default)."""


def nearest(name: str, known: Iterable[str], likeness: float = LIKENESS) -> str | None:
    """The known name most like ``name``, None if none is; case, hyphens and underscores do not count."""
    plain = {_plain(each): each for each in known}
    found = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=likeness)
    return plain[found[0]] if found else None


def rather(name: str, known: Iterable[str]) -> str:
    """What to say of a name that is not known: the one that was probably meant, else all there are."""
    names = list(known)
    meant = nearest(name, names)
    return f"did you mean {meant}?" if meant else f"there are {', '.join(names)}"


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
