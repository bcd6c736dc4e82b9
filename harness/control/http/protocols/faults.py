"""What AWS says of a request that does not fit the model: code and message for each kind of mistake.

EC2 has words of its own. The other services share a framework whose messages all follow one pattern ("1 validation
error detected: ..."); they differ in the codes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from halfsilver.harness.control.http.protocols.limits import MAX_QUOTED
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["EC2_FAULTS", "Faults", "FrameworkFaults", "JSON_FAULTS", "QUERY_FAULTS", "REST_JSON_FAULTS"]

MOST_NAMED = 12
"""An enumeration up to this size is listed in the message."""

EC2_OWN_NAMES = {"ResourceId": "resourceIdSet"}
"""Where EC2 calls a missing parameter by a name that no client sends (CreateTags, DeleteTags)."""


class Faults(Protocol):
    """``path`` is the name of a parameter on the wire, e.g. ``TagSpecification.1.ResourceType``."""

    def unknown(self, path: str) -> ApiError:
        """The operation has no such parameter."""

    def missing(self, path: str) -> ApiError:
        """A parameter that the operation needs is not there."""

    def malformed(self, path: str, reason: str) -> ApiError:
        """The request has the wrong form: a list where a value should be, a value where a list should be."""

    def wrong_type(self, path: str, value: str, expected: str) -> ApiError:
        """A value that is not of its type; ``expected`` is e.g. "an integer"."""

    def outside(self, path: str, value: int | float, low: float | None, high: float | None) -> ApiError:
        """A number below its minimum or above its maximum; None where there is no such bound."""

    def length(self, path: str, value: object, low: int | None, high: int | None) -> ApiError:
        """A string or list that is too short or too long."""

    def not_in(self, path: str, value: str, allowed: Collection[str]) -> ApiError:
        """A value that is not one of its enumeration."""

    def character(self, path: str) -> ApiError:
        """A character that XML 1.0 cannot carry, so that no answer could show it."""


def quoted(value: object) -> str:
    """A value for a message: not so long that the message is an echo of the request."""
    text = str(value)
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."


class Ec2Faults:
    """EC2's own words."""

    def unknown(self, path: str) -> ApiError:
        # EC2 names the part that it does not know, not the whole path.
        return ApiError("UnknownParameter", f"The parameter {quoted(path.rpartition('.')[2])} is not recognized")

    def missing(self, path: str) -> ApiError:
        name = EC2_OWN_NAMES.get(path, path)
        return ApiError("MissingParameter", f"The request must contain the parameter {name}")

    def malformed(self, path: str, reason: str) -> ApiError:
        return ApiError("MalformedQueryString", f"The parameter {quoted(path)} {reason}.")

    def wrong_type(self, path: str, value: str, expected: str) -> ApiError:
        return self._invalid(path, value, f"Expecting {expected}.")

    def outside(self, path: str, value: int | float, low: float | None, high: float | None) -> ApiError:
        if low is not None and value < low:
            return self._invalid(path, f" {value} ", f"Expecting a value greater than or equal to {low}.")
        return self._invalid(path, f" {value} ", f"Expecting a value smaller than or equal to {high}.")

    def length(self, path: str, value: object, low: int | None, high: int | None) -> ApiError:
        return self._invalid(path, value, f"Its length must be {_span(low, high)}.")

    def not_in(self, path: str, value: str, allowed: Collection[str]) -> ApiError:
        known = f" Valid values: {', '.join(allowed)}." if len(allowed) <= MOST_NAMED else ""
        return ApiError("InvalidParameterValue", f"Invalid value '{quoted(value)}' for {path}.{known}")

    def character(self, path: str) -> ApiError:
        return ApiError("InvalidCharacter", f"The parameter {path} contains a character that is not valid in XML 1.0.")

    def _invalid(self, path: str, value: object, reason: str) -> ApiError:
        message = f"Value ({quoted(value)}) for parameter {path} is invalid. {reason}"
        return ApiError("InvalidParameterValue", message)


class FrameworkFaults:
    """The pattern of the other services.

    constraint  code for a value that breaks a constraint of the model, or is missing
    unknown     code for a parameter that the operation does not have
    form        code for a request of the wrong form or a value of the wrong type
    """

    def __init__(self, *, constraint: str, unknown: str, form: str) -> None:
        self._constraint_code = constraint
        self._unknown_code = unknown
        self._form_code = form

    def unknown(self, path: str) -> ApiError:
        return ApiError(self._unknown_code, f"The parameter {quoted(path)} is not recognized")

    def missing(self, path: str) -> ApiError:
        return self._constraint(path, "null", "not be null")

    def malformed(self, path: str, reason: str) -> ApiError:
        return ApiError(self._form_code, f"The parameter {quoted(path)} {reason}.")

    def wrong_type(self, path: str, value: str, expected: str) -> ApiError:
        return ApiError(self._form_code, f"Value ({quoted(value)}) for parameter {path} is not {expected}.")

    def outside(self, path: str, value: int | float, low: float | None, high: float | None) -> ApiError:
        if low is not None and value < low:
            return self._constraint(path, f"'{value}'", f"have value greater than or equal to {low}")
        return self._constraint(path, f"'{value}'", f"have value less than or equal to {high}")

    def length(self, path: str, value: object, low: int | None, high: int | None) -> ApiError:
        return self._constraint(path, f"'{quoted(value)}'", f"have length {_span(low, high)}")

    def not_in(self, path: str, value: str, allowed: Collection[str]) -> ApiError:
        return self._constraint(path, f"'{quoted(value)}'", f"satisfy enum value set: [{', '.join(allowed)}]")

    def character(self, path: str) -> ApiError:
        return ApiError(self._form_code, f"The parameter {path} contains a character that is not valid in XML 1.0.")

    def _constraint(self, path: str, value: str, must: str) -> ApiError:
        place = ".".join(part[:1].lower() + part[1:] for part in path.split("."))
        message = f"1 validation error detected: Value {value} at '{place}' failed to satisfy constraint: Member must"
        return ApiError(self._constraint_code, f"{message} {must}")


def _span(low: int | None, high: int | None) -> str:
    if low is not None and high is not None:
        return f"between {low} and {high}"
    return f"greater than or equal to {low}" if low is not None else f"less than or equal to {high}"


EC2_FAULTS: Faults = Ec2Faults()
QUERY_FAULTS: Faults = FrameworkFaults(
    constraint="ValidationError", unknown="UnknownParameter", form="InvalidParameterValue"
)
REST_JSON_FAULTS: Faults = FrameworkFaults(
    constraint="InvalidParameterException", unknown="InvalidParameterException", form="SerializationException"
)
JSON_FAULTS: Faults = FrameworkFaults(
    constraint="ValidationException", unknown="ValidationException", form="SerializationException"
)
