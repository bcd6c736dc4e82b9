"""Deleting, as the guide has it: a page that asks, and the word ``delete`` written into it."""

from __future__ import annotations

from collections.abc import Mapping

from halfsilver.harness.console.frames.what_if import is_asked, what_if
from halfsilver.harness.console.visit import Visit
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.report.changes import Changes

__all__ = ["WORD", "ask_first", "delete"]

WORD = "delete"


def ask_first(
    visit: Visit, identifier: str, words: str, back: str, error: ApiError | None = None, changes: Changes | None = None
) -> Response:
    """The page that asks; ``words``: what goes with it; ``back``: where the one who changes his mind goes."""
    return visit.show("delete.html", error=error, id=identifier, words=words, back=back, changes=changes)


def delete(
    visit: Visit, action: str, fields: Mapping[str, str], identifier: str, words: str, *, back: str, behind: str
) -> Response:
    """Do it if the word is there, and go to the page ``behind``; else, or when it is refused, ask again."""
    try:
        if is_asked(visit):
            return ask_first(visit, identifier, words, back, changes=what_if(visit, action, fields))
        if visit.form.get("confirm") != WORD:
            raise ApiError("NotConfirmed", f"Enter the word {WORD} to confirm.")
        visit.ask(action, fields)
    except ApiError as error:
        return ask_first(visit, identifier, words, back, error)
    return visit.done(behind, "deleted")
