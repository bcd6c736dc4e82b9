"""What operations ask of their parameters, and the errors in EC2's words when they do not get it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["ILLEGAL", "brief", "client_token", "description", "invalid", "is_text", "remove_fields", "required"]

ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 cannot carry (section 2.2), lone surrogates included: no answer could show it, no store keep it."""

_BRIEF = 200
MAX_DESCRIPTION = 255
"""Characters of a description; EC2's limit for the descriptions whose length it documents."""


def brief(value: object) -> str:
    """A value as an error repeats it: only its beginning if it is long."""
    text = str(value)
    return text if len(text) <= _BRIEF else text[: _BRIEF - 3] + "..."


def invalid(name: str, value: object, why: str) -> ApiError:
    """InvalidParameterValue, as EC2 words it."""
    return ApiError("InvalidParameterValue", f"Value ({brief(value)}) for parameter {name} is invalid. {why}")


def required(parameters: Parameters, name: str) -> Any:
    """The value of a parameter that must be there; MissingParameter when it is not, or is empty."""
    value = parameters.get(name)
    if value is None or value == "" or value == []:
        raise ApiError("MissingParameter", f"The request must contain the parameter {name}")
    return value


def client_token(parameters: Parameters) -> dict[str, str]:
    """The member ``ClientToken`` of a result: what the request had."""
    return {"ClientToken": parameters["ClientToken"]} if "ClientToken" in parameters else {}


def description(parameters: Parameters) -> dict[str, str]:
    """The member ``Description`` of a document: an empty text is none."""
    text: str = parameters.get("Description") or ""
    if len(text) > MAX_DESCRIPTION or not is_text(text):
        raise invalid(
            "Description", text, f"It can have at most {MAX_DESCRIPTION} characters, and no control characters."
        )
    return {"Description": text} if text else {}


def remove_fields(parameters: Parameters, fields: Mapping[str, str]) -> set[str]:
    """The members that ``RemoveFields`` names; ``fields`` has the member for each word.

    InvalidParameterCombination for a member that the same request sets.
    """
    members = set()
    for word in parameters.get("RemoveFields", ()):
        if word not in fields:
            raise invalid("RemoveFields", word, f"It must be {' or '.join(fields)}.")
        if parameters.get(fields[word]) is not None:
            raise ApiError(
                "InvalidParameterCombination",
                f"The field {word} cannot be removed and {fields[word]} be set in one request",
            )
        members.add(fields[word])
    return members


def is_text(text: str) -> bool:
    """Whether people can read it: no control characters but tab and line ends, no halves of characters."""
    return not any(
        unicodedata.category(character) in ("Cc", "Cs")
        and character not in "\t\n\r"
        or ord(character) & 0xFFFE == 0xFFFE
        for character in text
    )
