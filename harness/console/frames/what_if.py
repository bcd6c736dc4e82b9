"""What a change would change, before it is made: the operation is done in a moment that is undone, and the frames of a
capture are judged by both policies, as ``halfsilver what-if`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from halfsilver.harness.console.frames.judging import check_region, model_of, permitted, uploaded
from halfsilver.harness.console.visit import Visit
from halfsilver.harness.report.changes import Changes

__all__ = ["is_asked", "what_if"]


def is_asked(visit: Visit) -> bool:
    """Whether the form's button was "What if", not the one that does it."""
    return bool(visit.form.get("what_if"))


def what_if(visit: Visit, action: str, fields: Mapping[str, Any]) -> Changes:
    """What an operation would change for the frames of the uploaded capture. ApiError where the API refuses it."""
    check_region(visit)
    captured = uploaded(visit, "capture")
    before, after = visit.control.rehearse(visit.call(action, fields))
    frames = permitted(visit, before, captured)
    build = visit.control.engine()
    changes = Changes(before.policy, after.policy)
    changes.add(*(model_of(nic, build).process(frames) for nic in (before, after)))
    return changes
