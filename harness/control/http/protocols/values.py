"""Single values: from text to Python, and what the model allows of them."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

from halfsilver.harness.control.http.protocols.faults import Faults
from halfsilver.harness.control.http.protocols.limits import MAX_NUMBER_DIGITS
from halfsilver.harness.control.operations.parameters import ILLEGAL

__all__ = ["Check", "blob_text", "checker", "from_text", "moment"]

Check = Callable[[Any, str], None]
"""Takes a value and its path; raises ApiError if the model does not allow it."""

_INTEGER = re.compile(rf"-?[0-9]{{1,{MAX_NUMBER_DIGITS}}}\Z")
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?\Z")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?)?\Z"
)
_RANGES = {"integer": (-(1 << 31), (1 << 31) - 1), "long": (-(1 << 63), (1 << 63) - 1)}


def from_text(shape: Shape, faults: Faults) -> Callable[[str, str], Any]:
    """What turns the text of a form or query parameter into the value of a scalar shape; raises ApiError."""
    check = checker(shape, faults)
    convert, expected = _CONVERTERS[shape.type_name]

    def read(text: str, path: str) -> Any:
        try:
            value = convert(text)
        except ValueError:
            raise faults.wrong_type(path, text, expected) from None
        if check is not None:
            check(value, path)
        return value

    return read


def checker(shape: Shape, faults: Faults) -> Check | None:
    """What the model says of values of a shape beyond their type; None when that is nothing."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    kind = shape.type_name
    if kind in ("string", "character"):
        return _string_checker(tuple(getattr(shape, "enum", ())), low, high, faults)
    if kind in ("integer", "long", "float", "double"):
        least, most = _RANGES.get(kind, (None, None))
        low, high = least if low is None else low, most if high is None else high
        return None if low is None and high is None else _number_checker(low, high, faults)
    if kind in ("list", "map", "blob") and (low is not None or high is not None):
        return _length_checker(low, high, faults)
    return None


def _string_checker(enum: tuple[str, ...], low: int | None, high: int | None, faults: Faults) -> Check:
    allowed = frozenset(enum)

    def check(value: str, path: str) -> None:
        if allowed:
            if value not in allowed:
                raise faults.not_in(path, value, enum)
        elif ILLEGAL.search(value):
            raise faults.character(path)
        elif (low is not None and len(value) < low) or (high is not None and len(value) > high):
            raise faults.length(path, value, low, high)

    return check


def _number_checker(low: float | None, high: float | None, faults: Faults) -> Check:
    def check(value: int | float, path: str) -> None:
        if (low is not None and value < low) or (high is not None and value > high):
            raise faults.outside(path, value, low, high)

    return check


def _length_checker(low: int | None, high: int | None, faults: Faults) -> Check:
    def check(value: Any, path: str) -> None:
        if (low is not None and len(value) < low) or (high is not None and len(value) > high):
            raise faults.length(path, f"{len(value)} items", low, high)

    return check


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _integer(text: str) -> int:
    if not _INTEGER.match(text):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    value = float(text) if _NUMBER.match(text) else math.nan
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _blob(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError(text) from None


def blob_text(value: bytes) -> str:
    """How every protocol writes bytes: base64."""
    return base64.b64encode(value).decode("ascii")


def moment(text: str) -> datetime:
    """An ISO 8601 time, UTC unless it says otherwise; ValueError."""
    if not _TIMESTAMP.match(text):
        raise ValueError(text)
    value = datetime.fromisoformat(text)
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


_CONVERTERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "string": (str, "a string"),
    "character": (str, "a character"),
    "boolean": (_boolean, "true or false"),
    "integer": (_integer, "an integer"),
    "long": (_integer, "an integer"),
    "float": (_number, "a number"),
    "double": (_number, "a number"),
    "blob": (_blob, "base64"),
    "timestamp": (moment, "an ISO 8601 time"),
}
