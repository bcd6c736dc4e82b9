"""Lists that are searched and sorted by parameters: ``q``, ``sort`` (with ``-`` in front: the other way), ``page``.

Without ``q`` and ``sort``, a page of a list is one of the API's, in order of creation, and ``next`` has its token. With
one of them all of the API's pages are read, and pages are cut here.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from halfsilver.harness.console.visit import PAGE_SIZE, Visit
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["Column", "Listed", "description_of", "listed", "name_of"]

_DESCRIPTION, _TAG = "description", "tag"


@dataclass(frozen=True, slots=True)
class Column:
    """``name`` stands in addresses, ``words`` in the head of the table; ``value`` is what is sorted by."""

    name: str
    words: str
    value: Callable[[Any], str | int]
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list. ``found`` of ``total`` are what was searched for; None where nothing was, and all is shown.

    ``following`` and ``preceding``: queries of the pages around it, "" where there is none.
    """

    rows: Sequence[Any]
    columns: Sequence[Column]
    q: str = ""
    sort: str = ""
    found: int | None = None
    total: int | None = None
    following: str = ""
    preceding: str = ""

    def order_of(self, column: Column) -> str:
        """As ``aria-sort`` has it; "" if the list is not sorted by this column."""
        return {column.name: "ascending", f"-{column.name}": "descending"}.get(self.sort, "")

    def sorted_by(self, column: Column) -> str:
        """The query for the list sorted by this column, the other way round if it is already."""
        return _query(self.q, f"-{column.name}" if self.sort == column.name else column.name)


def name_of(each: Any) -> str:
    """The value of the tag Name."""
    return next((tag["Value"] for tag in each["Tags"] if tag["Key"] == "Name"), "")


def description_of(each: Any) -> str:
    return str(each.get("Description") or "")


def listed(
    visit: Visit,
    action: str,
    result: str,
    columns: Sequence[Column],
    more: Callable[[Any], Iterable[str]] = lambda each: (),
) -> Listed:
    """What the query asks for of what an operation lists. ``more``: words that are found though no column has them."""
    q, sort = visit.query.get("q"), visit.query.get("sort")
    if not (q or sort):
        rows, token = visit.one_page(action, result)
        return Listed(rows, columns, following=urllib.parse.urlencode({"next": token}) if token else "")
    everything = visit.everything(action, result)
    rows = [each for each in everything if _fits(each, q.casefold().split(), columns, more)]
    if sort:
        by = next((column for column in columns if column.name == sort.removeprefix("-")), None)
        if by is None:
            names = ", ".join(column.name for column in columns)
            raise ApiError("InvalidParameterValue", f"The list can be sorted by {names}, not by {sort[:64]}")
        rows.sort(key=lambda each: _place(by.value(each)), reverse=sort.startswith("-"))
    page = _page(visit)
    first, behind = (page - 1) * PAGE_SIZE, page * PAGE_SIZE
    return Listed(
        rows[first:behind],
        columns,
        q,
        sort,
        found=len(rows),
        total=len(everything),
        following=_query(q, sort, page + 1) if behind < len(rows) else "",
        preceding=_query(q, sort, page - 1) if page > 1 else "",
    )


def _fits(each: Any, terms: Sequence[str], columns: Sequence[Column], more: Callable[[Any], Iterable[str]]) -> bool:
    """Whether every term is somewhere in it: ``state:down`` in that column, a term without such a name anywhere."""
    fields = {column.name: str(column.value(each)) for column in columns}
    fields[_DESCRIPTION] = description_of(each)
    fields[_TAG] = "\n".join(f"{tag['Key']}={tag['Value']}" for tag in each["Tags"])
    folded = {name: text.casefold() for name, text in fields.items()}
    anywhere = "\n".join([*folded.values(), *(text.casefold() for text in more(each))])
    for term in terms:
        name, colon, text = term.partition(":")
        if (text not in folded[name]) if colon and name in folded else (term not in anywhere):
            return False
    return True


def _place(value: str | int) -> tuple[int, str]:
    """Numbers by their size, texts without regard to case, and what is empty last."""
    return (value, "") if isinstance(value, int) else (not value, value.casefold())


def _page(visit: Visit) -> int:
    text = visit.query.get("page") or "1"
    if not (text.isascii() and text.isdecimal() and len(text) < 7 and int(text)):
        raise ApiError("InvalidParameterValue", f"page must be a number from 1, not {text[:20]}")
    return int(text)


def _query(q: str, sort: str, page: int = 1) -> str:
    asked = {"q": q, "sort": sort, "page": str(page) if page > 1 else ""}
    return urllib.parse.urlencode({name: value for name, value in asked.items() if value})
