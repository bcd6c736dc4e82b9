"""Deleting, as the guide has it: a page that asks, and the word ``delete`` written into it. So for other things that
are not undone by a click: leaving a share, rejecting an invitation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from halfsilver.harness.console.frames.what_if import is_asked, what_if
from halfsilver.harness.console.visit import EC2, Visit
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.report.changes import Changes

__all__ = ["Question", "ask_first", "delete"]


@dataclass(frozen=True, slots=True)
class Question:
    """``id``: what it is about; ``words``: what goes with it; ``back``: where the one who changes his mind goes.

    ``verb`` is the word to be written; ``service``, whose operation it is (EC2's can be tried by What if?).
    """

    id: str
    words: str
    back: str
    verb: str = "delete"
    service: str = EC2


def ask_first(
    visit: Visit, question: Question, error: ApiError | None = None, changes: Changes | None = None
) -> Response:
    """The page that asks."""
    tried = question.service == EC2
    return visit.show("delete.html", error=error, question=question, changes=changes, tried=tried)


def delete(
    visit: Visit, question: Question, action: str, fields: Mapping[str, Any], *, behind: str, done: str = "deleted"
) -> Response:
    """Do it if the word is there, and go to the page ``behind``; else, or when it is refused, ask again."""
    try:
        if question.service == EC2 and is_asked(visit):
            return ask_first(visit, question, changes=what_if(visit, action, fields))
        if visit.form.get("confirm") != question.verb:
            raise ApiError("NotConfirmed", f"Enter the word {question.verb} to confirm.")
        visit.ask(action, fields, question.service)
    except ApiError as error:
        return ask_first(visit, question, error)
    return visit.done(behind, done)
