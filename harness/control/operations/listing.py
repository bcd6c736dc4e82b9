"""What all Describe operations have in common: ids, filters, pages.

An operation says in a ``Listing`` what it lists; ``describe`` does the rest. Pages go by the serial of records, so
they stay right while objects come and go, and no more than one page and one batch are in memory.
Sources: the EC2 API reference (Describe operations, "List and filter using the CLI and API", "Pagination").
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.operations.parameters import brief, invalid
from halfsilver.harness.control.operations.tag_rules import own_tags
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["Filters", "Listing", "Values", "decode_token", "describe", "encode_token", "member", "page_size"]

MIN_RESULTS, MAX_RESULTS = 5, 1000
"""Bounds of MaxResults (EC2 API); the upper one is also a page's size when the request does not say."""
MAX_FILTERS, MAX_VALUES = 50, 200
"""Filters of a request, and values of a filter (EC2 user guide)."""
_BATCH = 500
_DIGEST = 24
_PAGING = ("DryRun", "MaxResults", "NextToken")

Values = Callable[[Context, Record], Iterable[object]]
"""What of a record a filter is held against: one of these values must match one of the filter's."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What an operation lists.

    kind         of the records
    result       member of the result with the list
    ids          parameter with explicit ids
    not_found    error code for an id that the caller does not see
    noun         how messages call such an object, e.g. "traffic mirror filter"
    filters      by name; ``tag:<key>`` and ``tag-key`` go without saying
    render       records to what AWS prints of them, called page by page
    visible      which records the caller sees; None: those of its account
    id_filter    the filter whose values are ids
    """

    kind: Kind
    result: str
    ids: str
    not_found: str
    noun: str
    filters: Mapping[str, Values]
    render: Callable[[Context, Sequence[Record]], list[dict[str, Any]]]
    visible: Callable[[Context, Record], bool] | None = None
    id_filter: str | None = None


def describe(
    context: Context, parameters: Parameters, listing: Listing, *, parent: str | None = None
) -> dict[str, Any]:
    """One page of the records that the caller sees and that fit the filters; of one parent where it is given."""
    filters = Filters(parameters.get("Filters", ()), listing.filters)
    if parameters.get(listing.ids):
        records = [
            record
            for record in _explicit(context, parameters, listing)
            if parent in (None, record.parent) and filters.match(context, record)
        ]
        return {listing.result: listing.render(context, records)}
    size = page_size(parameters)
    identifiers = filters.exact(listing.id_filter) if listing.id_filter else None
    position = decode_token(context, parameters, int)[0] if parameters.get("NextToken") is not None else 0
    page: list[Record] = []
    for record in _walk(context, listing, parent, identifiers, position, size + 1):
        if not filters.match(context, record):
            continue
        if len(page) == size:
            token = encode_token(context, parameters, page[-1].serial)
            return {listing.result: listing.render(context, page), "NextToken": token}
        page.append(record)
    return {listing.result: listing.render(context, page)}


def page_size(parameters: Parameters) -> int:
    """MaxResults within its bounds."""
    size: int = parameters.get("MaxResults", MAX_RESULTS)
    if not MIN_RESULTS <= size <= MAX_RESULTS:
        raise invalid("MaxResults", size, f"Expecting a value from {MIN_RESULTS} to {MAX_RESULTS}.")
    return size


def member(path: str) -> Values:
    """The values of a member of the document, such as "Attachment.InstanceId"; of all elements of lists on the way."""
    names = path.split(".")

    def values(_: Context, record: Record) -> list[object]:
        found: list[Any] = [record.document]
        for name in names:
            inside = [each[name] for each in found if name in each]
            found = [item for each in inside for item in (each if isinstance(each, list) else [each])]
        return found

    return values


class Filters:
    """The filters of a request. ``known`` has those that the operation can do."""

    def __init__(self, filters: Sequence[Mapping[str, Any]], known: Mapping[str, Values]) -> None:
        if len(filters) > MAX_FILTERS:
            raise ApiError("FilterLimitExceeded", f"The request has more than {MAX_FILTERS} filters")
        self._filters = [_Filter(each, known) for each in filters]

    def match(self, context: Context, record: Record) -> bool:
        """Whether the record fits all filters, each by one of its values."""
        return all(each.match(context, record) for each in self._filters)

    def exact(self, name: str) -> list[str] | None:
        """The values of the first filter of that name, None if there is none or it has wildcards."""
        found = next((each for each in self._filters if each.name == name), None)
        return None if found is None or found.patterns else sorted(found.words)


class _Filter:
    """One filter: ``words`` to be met exactly, ``patterns`` with wildcards."""

    def __init__(self, written: Mapping[str, Any], known: Mapping[str, Values]) -> None:
        self.name: str = written.get("Name") or ""
        values: Sequence[str] = written.get("Values") or ()
        self._values = known.get(self.name) or _tag_values(self.name)
        if not values:
            raise ApiError("MissingParameter", f"The filter '{brief(self.name)}' must have a value")
        if len(values) > MAX_VALUES:
            raise ApiError("FilterLimitExceeded", f"The filter '{brief(self.name)}' has more than {MAX_VALUES} values")
        pieces = [_split(value) for value in values]
        self.words = {texts[0] for texts in pieces if _is_plain(texts)}
        self.patterns = [_pattern(texts) for texts in pieces if not _is_plain(texts)]

    def match(self, context: Context, record: Record) -> bool:
        for value in self._values(context, record):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if text in self.words or any(pattern.fullmatch(text) for pattern in self.patterns):
                return True
        return False


def _tag_values(name: str) -> Values:
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda context, record: [value for each, value in own_tags(context, record).items() if each == key]
    if name == "tag-key":
        return own_tags
    raise ApiError("InvalidParameterValue", f"The filter '{brief(name)}' is invalid")


# Wildcards: * stands for any text, ? for one character, a backslash takes both of their meaning.


def _split(value: str) -> list[str]:
    """Wildcards and the texts between them: plain texts at even places (without backslashes), wildcards at odd."""
    texts = [""]
    for escaped, plain in re.findall(r"\\(.)|(.)", value, re.DOTALL):
        if plain in ("*", "?"):
            texts += [plain, ""]
        else:
            texts[-1] += escaped or plain
    return texts


def _is_plain(texts: list[str]) -> bool:
    return len(texts) == 1


def _pattern(texts: list[str]) -> re.Pattern[str]:
    """What lies between two stars is taken where it first fits, for good: no text takes long to match."""
    parts = [""]
    for index, text in enumerate(texts):
        if index % 2 == 0:
            parts[-1] += re.escape(text)
        elif text == "?":
            parts[-1] += "."
        else:
            parts.append("")
    first, *middle = parts
    if not middle:
        return re.compile(first, re.DOTALL)
    *middle, last = middle
    return re.compile(first + "".join(f"(?>.*?{part})" for part in middle) + ".*" + last, re.DOTALL)


# Ids and pages.


def _explicit(context: Context, parameters: Parameters, listing: Listing) -> list[Record]:
    """The records of the ids in the request, each once."""
    for name in ("MaxResults", "NextToken"):
        if parameters.get(name) is not None:
            raise ApiError(
                "InvalidParameterCombination", f"The parameter {listing.ids} cannot be used with the parameter {name}"
            )
    wanted = list(dict.fromkeys(parameters[listing.ids]))
    found = {
        record.id: record
        for record in context.transaction.find(listing.kind, identifiers=wanted)
        if _sees(context, listing, record)
    }
    missing = [identifier for identifier in wanted if identifier not in found]
    if missing:
        several = len(missing) > 1
        shown = ", ".join(identifier[:64] for identifier in missing[:10])
        raise ApiError(
            listing.not_found, f"The {listing.noun} ID{'s' * several} '{shown}' do{'es' * (not several)} not exist"
        )
    return list(found.values())


def _walk(
    context: Context, listing: Listing, parent: str | None, identifiers: Sequence[str] | None, after: int, first: int
) -> Iterator[Record]:
    """The records that the caller sees behind a serial, in batches, the first of them as large as is hoped to do."""
    size = min(first, _BATCH)
    # What belongs to one parent is found by that; whose it is, is looked at here.
    account = context.caller.account if listing.visible is None and parent is None else None
    while True:
        batch = context.transaction.find(
            listing.kind, account=account, parent=parent, identifiers=identifiers, after=after, limit=size
        )
        yield from (record for record in batch if _sees(context, listing, record))
        if len(batch) < size:
            return
        after, size = batch[-1].serial, min(2 * size, _BATCH)


def _sees(context: Context, listing: Listing, record: Record) -> bool:
    if listing.visible is None:
        return record.account == context.caller.account
    return listing.visible(context, record)


def encode_token(context: Context, parameters: Parameters, *position: int | str) -> str:
    """A NextToken: where the page ended, bound to the caller and to what was asked."""
    written = json.dumps(position)
    return base64.urlsafe_b64encode(f"{_digest(context, parameters, written)}{written}".encode()).decode()


def decode_token(context: Context, parameters: Parameters, *types: type) -> list[Any]:
    """The position in the request's NextToken, which has these types.

    InvalidNextToken if the token was not made for this caller and this request.
    """
    refusal = ApiError("InvalidNextToken", "The specified NextToken is not valid for this request")
    try:
        text = base64.b64decode(parameters["NextToken"], "-_", validate=True).decode("ascii")
        digest, written = text[:_DIGEST], text[_DIGEST:]
        position = json.loads(written) if digest == _digest(context, parameters, written) else None
    except (ValueError, RecursionError):
        raise refusal from None
    if (
        not isinstance(position, list)
        or [type(each) for each in position] != list(types)
        or any(isinstance(each, int) and not 0 <= each < 1 << 63 for each in position)
    ):
        raise refusal
    return position


def _digest(context: Context, parameters: Parameters, position: str) -> str:
    asked = {name: value for name, value in parameters.items() if name not in _PAGING}
    call = context.call
    text = json.dumps([call.caller.account, call.service, call.operation, asked, position], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
