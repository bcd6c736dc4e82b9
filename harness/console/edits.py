"""What somebody changed in a form that showed what there is.

A form sends back what it showed, ``Shown.NAME``, and only what differs from it is changed: what another tab, or a
client of the API, has changed in the meantime stays.
"""

from __future__ import annotations

from collections.abc import Mapping

from halfsilver.harness.console.web import Form

__all__ = ["edited", "removals", "shown"]

_SHOWN = "Shown."


def shown(values: Mapping[str, str]) -> Form:
    """A form that shows these values."""
    return Form({**values, **{f"{_SHOWN}{name}": value for name, value in values.items()}})


def edited(form: Form) -> Form:
    """Those of its values that are not as they were shown; browsers take line ends out of the line of a text."""
    there = {name: value for name, value in form.values.items() if not name.startswith(_SHOWN)}
    return Form(
        {name: value for name, value in there.items() if _line(form.get(name)) != _line(form.get(f"{_SHOWN}{name}"))}
    )


def removals(edit: Form, words: Mapping[str, str]) -> dict[str, str]:
    """RemoveFields for what has no value any more; ``words`` is what that calls each."""
    removed = [word for name, word in words.items() if name in edit.values and not edit.get(name)]
    return {f"RemoveField.{index}": word for index, word in enumerate(removed, 1)}


def _line(text: str) -> str:
    return "".join(text.splitlines())
