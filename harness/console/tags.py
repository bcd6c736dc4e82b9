"""Tags of a target, a filter or a session: the guide's "Manage tags"."""

from __future__ import annotations

from itertools import count

from halfsilver.harness.console.visit import Visit, page, tag_fields
from halfsilver.harness.console.web import Form
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError

__all__: list[str] = []

_KINDS = {"targets": "Target", "filters": "Filter", "sessions": "Session"}


@page("GET", "/{kind}/{identifier}/tags")
def ask_tags(visit: Visit, kind: str, identifier: str) -> Response:
    return _form(visit, kind, identifier)


@page("POST", "/{kind}/{identifier}/tags")
def save_tags(visit: Visit, kind: str, identifier: str) -> Response:
    """What is new or changed is saved first: where that is refused, nothing has been removed."""
    _noun(kind)
    resource = {"ResourceId.1": identifier}
    changed, removed = _edited(visit.form)
    try:
        if saved := tag_fields(changed, "Tag"):
            visit.ask("CreateTags", {**resource, **saved})
        if removed:
            keys = {f"Tag.{index}.Key": key for index, key in enumerate(removed, 1)}
            visit.ask("DeleteTags", {**resource, **keys})
    except ApiError as error:
        return _form(visit, kind, identifier, error)
    return visit.done(f"/{kind}/{identifier}", "tagged")


def _edited(form: Form) -> tuple[Form, list[str]]:
    """The tags to be there, as rows of a form, and the keys of those that are to go."""
    rows = {name: value for name, value in form.values.items() if name.startswith(("Key.", "Value."))}
    removed: list[str] = []
    for index in count(1):
        key = form.values.get(f"PresentKey.{index}")
        if key is None:
            return Form(rows), removed
        if form.get(f"Remove.{index}"):
            removed.append(key)
        elif form.values.get(f"Present.{index}") != form.values.get(f"PresentValue.{index}"):
            rows |= {f"Key.{1000 + index}": key, f"Value.{1000 + index}": form.get(f"Present.{index}")}
    raise AssertionError


def _form(visit: Visit, kind: str, identifier: str, error: ApiError | None = None) -> Response:
    noun = f"TrafficMirror{_noun(kind)}"
    found = visit.ask(f"Describe{noun}s", {f"{noun}Id.1": identifier})[f"{noun}s"][0]
    return visit.show("tags.html", error=error, id=identifier, back=f"/{kind}/{identifier}", present=found["Tags"])


def _noun(kind: str) -> str:
    if kind not in _KINDS:
        raise ApiError("NotFound", "There is no such page.", 404)
    return _KINDS[kind]
