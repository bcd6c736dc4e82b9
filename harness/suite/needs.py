"""What a test needs of an engine, and why it is skipped where that is missing."""

from __future__ import annotations

from halfsilver.harness.engines.registry import Ability, entry_of
from halfsilver.harness.errors import UsageError
from halfsilver.harness.spelling import rather

__all__ = ["missing_ability"]


def missing_ability(engine: str, ability: str) -> str | None:
    """Why a test that needs this ability cannot run on the engine; None if it can. UsageError for no ability."""
    if ability not in list(Ability):
        raise UsageError(f"needs({ability!r}): no engine has such an ability; {rather(ability, Ability)}")
    wanted = Ability(ability)
    if wanted in entry_of(engine).abilities:
        return None
    return f"needs {wanted}: engine {engine} is none that {wanted.what}"
