"""The ``Condition`` element of IAM policies: operators, sets of values, and keys that a request does not have.

Sources: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys". All keys of a
condition must hold; one of several values suffices (none of them may match for a negated operator such as
``StringNotEquals``). A key that the request does not have fails the operator, satisfies a negated one, and satisfies
``...IfExists``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

from halfsilver.harness.control.iam.patterns import ArnPattern, Pattern, PolicyError, RequestContext, split_arn

__all__ = ["Condition", "load_condition"]

Test = Callable[[str, RequestContext], bool]
"""Does a value of the request match one value of the policy?"""

Builder = Callable[[str, bool, str], Test]
"""From a value of the policy, whether it may hold policy variables, and where it stands."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One key under one operator."""

    key: str
    tests: tuple[Test, ...]
    negated: bool
    over: str
    """"ForAllValues", "ForAnyValue" or ""."""
    if_exists: bool

    def holds(self, context: RequestContext) -> bool:
        values = context.get(self.key, ())
        if not values:
            if self.if_exists or self.over == "ForAllValues":
                return True
            return self.negated and not self.over
        matched = (any(test(value, context) for test in self.tests) for value in values)
        if self.over == "ForAllValues":
            return all(match != self.negated for match in matched)
        if self.over == "ForAnyValue":
            return any(match != self.negated for match in matched)
        return any(matched) != self.negated


@dataclass(frozen=True, slots=True)
class NullClause:
    """``Null``: the key must be absent (``"true"``) or there (``"false"``)."""

    key: str
    absent: bool

    def holds(self, context: RequestContext) -> bool:
        return (not context.get(self.key, ())) == self.absent


@dataclass(frozen=True, slots=True)
class Condition:
    """A whole condition; one without clauses always holds."""

    clauses: tuple[Clause | NullClause, ...] = ()

    def holds(self, context: RequestContext) -> bool:
        return all(clause.holds(context) for clause in self.clauses)


def load_condition(document: object, variables: bool, where: str) -> Condition:
    """Check and prepare a ``Condition`` element. PolicyError says which operator, key or value is wrong.

    variables    policy variables are looked for (policies of version 2012-10-17)
    """
    clauses: list[Clause | NullClause] = []
    for name, keys in _object(document, where).items():
        here = f"{where}.{name}"
        over, base, if_exists = _operator(name, here)
        for key, values in _object(keys, here).items():
            if not re.fullmatch(r"[A-Za-z0-9-]+:.+", key, re.DOTALL):
                raise PolicyError(f"{here}.{key}: a condition key has a prefix, e.g. aws:SourceIp")
            texts = _values(values, f"{here}.{key}")
            if base == "Null":
                if len(texts) != 1:
                    raise PolicyError(f"{here}.{key}: Null takes one value, true or false")
                clauses.append(NullClause(key.lower(), _truth(texts[0], f"{here}.{key}")))
            else:
                builder, negated = _OPERATORS[base]
                tests = tuple(builder(text, variables, f"{here}.{key}") for text in texts)
                clauses.append(Clause(key.lower(), tests, negated, over, if_exists))
    return Condition(tuple(clauses))


def _object(document: object, where: str) -> Mapping[str, Any]:
    if not isinstance(document, dict) or not document:
        raise PolicyError(f"{where}: must be an object with at least one member")
    return document


def _operator(name: str, where: str) -> tuple[str, str, bool]:
    """``ForAllValues:StringLikeIfExists`` -> ("ForAllValues", "StringLike", True)."""
    over, colon, base = name.rpartition(":")
    if_exists = base.endswith("IfExists")
    base = base.removesuffix("IfExists")
    if over not in (("ForAllValues", "ForAnyValue") if colon else ("",)):
        raise PolicyError(f"{where}: only ForAllValues: and ForAnyValue: may stand before an operator")
    if base == "Null" and (over or if_exists):
        raise PolicyError(f"{where}: Null has neither IfExists nor ForAllValues or ForAnyValue")
    if base != "Null" and base not in _OPERATORS:
        raise PolicyError(f"{where}: unknown condition operator; known are {', '.join(sorted(_OPERATORS))}, Null")
    return over, base, if_exists


def _values(values: object, where: str) -> list[str]:
    """One value or several; JSON's true and 7 are "true" and "7"."""
    texts = []
    for value in values if isinstance(values, list) else [values]:
        if isinstance(value, bool):
            texts.append("true" if value else "false")
        elif isinstance(value, (str, int, float)):
            texts.append(str(value))
        else:
            raise PolicyError(f"{where}: a value must be a string, number or boolean")
    if not texts:
        raise PolicyError(f"{where}: needs at least one value")
    return texts


def _string(text: str, variables: bool, where: str) -> Test:
    return Pattern(text, wildcards=False, variables=variables, where=where).matches


def _string_any_case(text: str, variables: bool, where: str) -> Test:
    pattern = Pattern(text.lower(), wildcards=False, variables=variables, where=where)
    return lambda value, context: pattern.matches(value.lower(), _lower(context))


def _string_like(text: str, variables: bool, where: str) -> Test:
    return Pattern(text, wildcards=True, variables=variables, where=where).matches


def _arn(text: str, variables: bool, where: str) -> Test:
    pattern = ArnPattern(text, variables=variables, spanning=False, where=where)
    return lambda value, context: pattern.matches(split_arn(value), context)


def _lower(context: RequestContext) -> RequestContext:
    return {key: tuple(value.lower() for value in values) for key, values in context.items()}


def _compared(
    compare: Callable[[Any, Any], bool], read: Callable[[str], Any], what: str, text: str, variables: bool, where: str
) -> Test:
    """An operator on values that are read first. Policy variables have no place in it."""
    try:
        expected = read(text)
    except ValueError:
        raise PolicyError(f"{where}: {text!r} is not {what}") from None

    def test(value: str, context: RequestContext) -> bool:
        try:
            return compare(read(value), expected)
        except ValueError:
            return False

    return test


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not number.is_finite():
        raise ValueError(text)
    return number


def _date(text: str) -> datetime:
    """ISO 8601 (UTC where it does not say), or seconds since 1970 in more digits than a year or a date has."""
    try:
        if re.fullmatch(r"[0-9]{9,}(\.[0-9]+)?", text):
            return datetime.fromtimestamp(float(text), UTC)
        date = datetime.fromisoformat(text)
    except (OverflowError, OSError):
        raise ValueError(text) from None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _truth(text: str, where: str) -> bool:
    try:
        return _boolean(text)
    except ValueError:
        raise PolicyError(f"{where}: {text!r} is not true or false") from None


def _address(text: str, variables: bool, where: str) -> Test:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise PolicyError(f"{where}: {text!r} is not an IP address or CIDR block") from None

    def test(value: str, context: RequestContext) -> bool:
        try:
            return ip_address(value) in network
        except ValueError:
            return False

    return test


def _family(prefix: str, read: Callable[[str], Any], what: str) -> dict[str, tuple[Builder, bool]]:
    """The six comparisons of numbers or dates."""
    comparisons = {
        "Equals": operator.eq,
        "LessThan": operator.lt,
        "LessThanEquals": operator.le,
        "GreaterThan": operator.gt,
        "GreaterThanEquals": operator.ge,
    }
    family: dict[str, tuple[Builder, bool]] = {
        prefix + name: (partial(_compared, compare, read, what), False) for name, compare in comparisons.items()
    }
    return family | {prefix + "NotEquals": (family[prefix + "Equals"][0], True)}


_OPERATORS: dict[str, tuple[Builder, bool]] = {
    "StringEquals": (_string, False),
    "StringNotEquals": (_string, True),
    "StringEqualsIgnoreCase": (_string_any_case, False),
    "StringNotEqualsIgnoreCase": (_string_any_case, True),
    "StringLike": (_string_like, False),
    "StringNotLike": (_string_like, True),
    **_family("Numeric", _number, "a number"),
    **_family("Date", _date, "a date such as 2026-11-20T12:00:00Z"),
    "Bool": (partial(_compared, operator.eq, _boolean, "true or false"), False),
    "IpAddress": (_address, False),
    "NotIpAddress": (_address, True),
    "ArnEquals": (_arn, False),
    "ArnNotEquals": (_arn, True),
    "ArnLike": (_arn, False),
    "ArnNotLike": (_arn, True),
}
"""Operator -> how a value of the policy is read, and whether the outcome is turned round."""
