"""Patterns in IAM policies: ``*``, ``?``, policy variables, and how a pattern for ARNs goes by the parts of an ARN.

Sources: IAM User Guide, "IAM JSON policy elements: Resource" (wildcards stay within a part of the ARN, except a
``*`` at the end of a part) and "Variables and tags" (``${key}``, ``${key, 'default'}``, ``${*}``, ``${?}``, ``${$}``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from halfsilver.harness.errors import UsageError

__all__ = ["ArnPattern", "Pattern", "PolicyError", "RequestContext", "split_arn"]

RequestContext = Mapping[str, tuple[str, ...]]
"""What is known of a request: condition key in lower case (``aws:sourceip``) -> its values. A key without values is
not there."""

ARN_PARTS = 6
"""``arn:partition:service:region:account:resource``; colons of the resource are its own."""


class PolicyError(UsageError):
    """A policy that IAM would not take: where in the document, what, and what would be right."""


class Wildcard(Enum):
    ANY = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Variable:
    """``${key}``: stands for the one value of a condition key, as plain characters, or for its default."""

    key: str
    default: str | None

    def value(self, context: RequestContext) -> str | None:
        values = context.get(self.key, ())
        return values[0] if len(values) == 1 else self.default if not values else None


Tokens = tuple[str | Wildcard | Variable, ...]
Resolved = tuple[str | Wildcard, ...]

_VARIABLE = re.compile(r"\$\{(?:([*?$])|([A-Za-z][\w:/+=.@-]*)(?:\s*,\s*'([^']*)')?)\}")


def _tokens(text: str, wildcards: bool, variables: bool, where: str) -> Tokens:
    found: list[str | Wildcard | Variable] = []
    position = 0
    while position < len(text):
        character = text[position]
        variable = _VARIABLE.match(text, position) if variables else None
        if variable is not None:
            escaped, key, default = variable.groups()
            found.append(escaped if escaped else Variable(key.lower(), default))
            position = variable.end()
            continue
        if variables and text.startswith("${", position):
            raise PolicyError(f"{where}: {text!r}: a policy variable is written ${{key}} or ${{key, 'default'}}")
        found.append(Wildcard(character) if wildcards and character in "*?" else character)
        position += 1
    return tuple(found)


def _resolve(tokens: Tokens, context: RequestContext) -> Resolved | None:
    """Variables replaced by plain characters; None when one has no value."""
    resolved: list[str | Wildcard] = []
    for token in tokens:
        if isinstance(token, Variable):
            value = token.value(context)
            if value is None:
                return None
            resolved.extend(value)
        else:
            resolved.append(token)
    return tuple(resolved)


def _without_variables(tokens: Tokens) -> Resolved | None:
    """The same tokens when they need no request to be read, else None."""
    fixed = tuple(token for token in tokens if not isinstance(token, Variable))
    return fixed if len(fixed) == len(tokens) else None


@lru_cache(maxsize=4096)
def _matcher(tokens: Resolved) -> Callable[[str], object]:
    """Whether a text is what the tokens say, in time that grows with its length only: each ``*`` but the last takes
    the shortest stretch that fits and never tries again (which cannot lose a match)."""
    pieces = [""]
    for token in tokens:
        if token is Wildcard.ANY:
            pieces.append("")
        else:
            pieces[-1] += "." if token is Wildcard.ONE else re.escape(str(token))
    if len(pieces) == 1:
        expression = pieces[0]
    else:
        expression = pieces[0] + "".join(f"(?>.*?{piece})" for piece in pieces[1:-1]) + f".*{pieces[-1]}"
    return re.compile(expression, re.DOTALL).fullmatch


class Pattern:
    """A text with wildcards or variables or neither; ``*`` goes over everything."""

    def __init__(self, text: str, *, wildcards: bool, variables: bool, where: str) -> None:
        self._tokens = _tokens(text, wildcards, variables, where)
        fixed = _without_variables(self._tokens)
        self._fixed = None if fixed is None else _matcher(fixed)

    @property
    def is_all(self) -> bool:
        """Whether it is ``*`` alone."""
        return self._tokens == (Wildcard.ANY,)

    def matches(self, text: str, context: RequestContext) -> bool:
        """A pattern with a variable that has no value matches nothing."""
        if self._fixed is not None:
            return self._fixed(text) is not None
        resolved = _resolve(self._tokens, context)
        return resolved is not None and _matcher(resolved)(text) is not None


def split_arn(text: str) -> tuple[str, ...]:
    """The parts of an ARN, or fewer if it is none."""
    return tuple(text.split(":", ARN_PARTS - 1))


class ArnPattern:
    """A pattern for ARNs, part by part: a wildcard does not reach over a colon.

    spanning    the ``Resource`` element's exception holds: a ``*`` at the end of a part may take following parts too,
                so that ``*`` is every resource and ``arn:aws:ec2:*`` every resource of EC2
    """

    def __init__(self, text: str, *, variables: bool, spanning: bool, where: str) -> None:
        self._tokens = _tokens(text, True, variables, where)
        self._spanning = spanning
        if not (spanning and text == "*"):
            _check_arn(text, self._tokens, spanning, where)
        fixed = _without_variables(self._tokens)
        self._fixed = None if fixed is None else _parts(fixed)

    @property
    def is_all(self) -> bool:
        """Whether it is every resource."""
        return self._spanning and self._tokens == (Wildcard.ANY,)

    def matches(self, parts: Sequence[str], context: RequestContext) -> bool:
        """``parts`` are those of ``split_arn``. A pattern with a variable that has no value matches nothing."""
        pattern = self._fixed
        if pattern is None:
            resolved = _resolve(self._tokens, context)
            if resolved is None:
                return False
            pattern = _parts(resolved)
        return _parts_match(pattern, parts, self._spanning)


def _check_arn(text: str, tokens: Tokens, spanning: bool, where: str) -> None:
    """A variable may stand for several parts, so that only a pattern without variables can be counted."""
    parts = _parts(tokens)
    counted = not any(isinstance(token, Variable) for token in tokens)
    whole = len(parts) == ARN_PARTS or (spanning and any(part[-1:] == (Wildcard.ANY,) for part in parts))
    if parts[0] != tuple("arn") and (spanning or counted) or counted and not whole:
        raise PolicyError(
            f"{where}: {text!r} is not an ARN (arn:partition:service:region:account:resource)"
            + (" or *" if spanning else "")
        )
    if len(parts) == ARN_PARTS and not all(isinstance(token, str) for token in parts[2]):
        raise PolicyError(f"{where}: {text!r}: the service of an ARN must be written out")


@lru_cache(maxsize=4096)
def _parts(tokens: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
    parts: list[list[Any]] = [[]]
    for token in tokens:
        if token == ":" and len(parts) < ARN_PARTS:
            parts.append([])
        else:
            parts[-1].append(token)
    return tuple(tuple(part) for part in parts)


def _parts_match(pattern: Sequence[Resolved], parts: Sequence[str], spanning: bool) -> bool:
    if not pattern or not parts:
        return not pattern and not parts
    first, rest = pattern[0], pattern[1:]
    matches = _matcher(first)
    if not (spanning and first[-1:] == (Wildcard.ANY,)):
        return matches(parts[0]) is not None and _parts_match(rest, parts[1:], spanning)
    # The part may take as many parts as leave one for each that follows in the pattern.
    counts = range(1, len(parts) - len(rest) + 1) if rest else (len(parts),)
    return any(
        matches(":".join(parts[:count])) is not None and _parts_match(rest, parts[count:], spanning) for count in counts
    )
