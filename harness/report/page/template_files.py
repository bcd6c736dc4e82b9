"""Templates of pages: what fills them escapes all that it is given, and knows how numbers are written here."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["TEMPLATES", "open_templates"]

TEMPLATES = Path(__file__).with_name("templates")
"""Those of a run's page; ``parts.html`` and ``page.css`` are for other pages too."""


def open_templates(*folders: Path) -> Environment:
    """The templates of these folders, the first before the next, and then those here."""
    environment = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda count: f"{count:,}"
    return environment
