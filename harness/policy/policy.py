"""The policy: what to mirror, from where, to where, in AWS's own words.

``mirror.json`` is the verbatim output of ``aws ec2 describe-traffic-mirror-filters``, ``-sessions``,
``-targets``, ``describe-network-interfaces`` and, where used, ``aws elbv2 describe-load-balancers``,
``describe-vpc-endpoints``, ``describe-vpcs``, ``describe-security-groups`` and ``describe-network-acls``: their
top-level lists in one JSON object. Members of AWS's that mirroring does not need are ignored; what AWS does not have
is refused (``members.py``).

The way of a file: ``reader.py`` reads and refuses, ``resolve.py`` finds addresses, ``lint.py`` warns, and the
result is a ``Policy``, which is all that engines see.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halfsilver.harness.errors import UsageError
from halfsilver.harness.policy.joining import join
from halfsilver.harness.policy.lint import lint
from halfsilver.harness.policy.reader import WHOLE_FILE, read
from halfsilver.harness.policy.resolve import resolve
from halfsilver.harness.policy.types import (
    Address,
    Described,
    Guard,
    Interface,
    Limits,
    Network,
    Outer,
    Problem,
    Rule,
    Session,
)

__all__ = [
    "Address",
    "Guard",
    "Interface",
    "Network",
    "Outer",
    "Policy",
    "PolicyError",
    "Problem",
    "RepeatedKey",
    "Rule",
    "Session",
    "check",
    "examine",
    "find_obstacles",
    "policy_files",
    "read_documents",
    "read_joined",
    "unique_keys",
]


class PolicyError(UsageError):
    """A policy that cannot be used: the message has the first problem and how many more there are.

    ``problems`` has them all, errors first, then warnings.
    """

    def __init__(self, where: str, problems: Sequence[Problem]) -> None:
        errors = [problem for problem in problems if problem.severity == "error"]
        self.problems = (*errors, *(problem for problem in problems if problem.severity != "error"))
        place = "" if errors[0].where == WHOLE_FILE else f"{errors[0].where}: "
        more = len(errors) - 1
        others = f" (and {more} more problem{'s' if more > 1 else ''})" if more else ""
        super().__init__(f"{where}: {place}{errors[0].message}{others}")


@dataclass(frozen=True)
class Policy:
    """A policy without errors, everything resolved.

    interfaces  the NIC's interfaces in index order (``docs/mirroring.md`` section 2), at most 16
    warnings    what the policy may say but hardly means
    documents   the documents it came from, as AWS printed them; take them with ``to_documents``
    """

    interfaces: tuple[Interface, ...]
    warnings: tuple[Problem, ...] = ()
    documents: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)

    @classmethod
    def load(cls, path: str | Path, *, eni: str | None = None, limits: Limits | None = None) -> Policy:
        """Read a file, or the files of a folder; ``eni`` is the NIC's first interface. PolicyError has all problems."""
        return cls.from_documents(read_joined([path]), eni=eni, where=str(path), limits=limits)

    @classmethod
    def from_documents(
        cls,
        documents: Mapping[str, Any],
        *,
        eni: str | None = None,
        carried: Sequence[str] | None = None,
        where: str = "mirror.json",
        limits: Limits | None = None,
    ) -> Policy:
        """The same from documents in memory; ``where`` is what error messages call them.

        ``carried`` are the ids of the NIC's interfaces in index order; without it they are chosen. Without ``limits``,
        those of AWS hold.
        """
        _, interfaces, problems = _examine(documents, eni, carried, limits)
        if any(problem.severity == "error" for problem in problems):
            raise PolicyError(where, problems)
        return cls(interfaces, tuple(problems), copy.deepcopy(dict(documents)))

    @property
    def guarded(self) -> bool:
        """It has SecurityGroups or NetworkAcls: what they do not let in is dropped, and goes no further."""
        return any(interface.guard is not None for interface in self.interfaces)

    def to_documents(self) -> dict[str, Any]:
        """The documents the policy was read from, for writing back; a copy."""
        return copy.deepcopy(dict(self.documents))


def check(documents: object, *, carried: Sequence[str] | None = None, limits: Limits | None = None) -> list[Problem]:
    """All errors and warnings at once, in the order they are met; never raises for what it is given.

    ``carried`` as for ``Policy.from_documents``; without ``limits``, those of AWS hold.
    """
    return examine(documents, carried=carried, limits=limits)[1]


def examine(
    documents: object, *, carried: Sequence[str] | None = None, limits: Limits | None = None
) -> tuple[Described, list[Problem]]:
    """What the documents describe, as far as it could be read, and what ``check`` says of them."""
    described, _, problems = _examine(documents, carried=carried, limits=limits)
    return described, problems


def find_obstacles(documents: Mapping[str, Any], carried: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What keeps copies of the sessions from their targets, by session id; mistakes of the documents are passed over.

    For documents that are not those of a policy alone: ``carried`` as for ``Policy.from_documents``.
    """
    interfaces, _ = resolve(read(documents)[0], carried=carried)
    return {session.session_id: session.obstacles for interface in interfaces for session in interface.sessions}


def policy_files(path: str | Path) -> list[Path]:
    """The files a policy is read from: the path itself or, of a folder, every ``.json`` file in it."""
    return sorted(Path(path).glob("*.json")) if Path(path).is_dir() else [Path(path)]


def read_joined(paths: Sequence[str | Path]) -> Any:
    """What the files and folders hold as one document; PolicyError if one is not what AWS prints.

    One file is taken as it is.
    """
    files = [file for path in paths for file in policy_files(path)]
    if not files:
        nothing = "is a folder without a .json file; put there what the aws describe commands print"
        raise PolicyError(str(paths[0]), [Problem("error", WHOLE_FILE, nothing)])
    if files == [Path(path) for path in paths[:1]]:
        return read_documents(files[0])
    joined, problems = join([(str(file), read_documents(file)) for file in files])
    if problems:
        raise PolicyError(", ".join(map(str, paths)), problems)
    return joined


def read_documents(path: str | Path) -> Any:
    """What a JSON file holds; PolicyError names line and column of a syntax error."""

    def refuse(where: str, message: str) -> PolicyError:
        return PolicyError(str(path), [Problem("error", where, message)])

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise refuse(WHOLE_FILE, f"cannot be read: {error.strerror}") from None
    try:
        return json.loads(data.decode(json.detect_encoding(data)), object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        raise refuse(f"line {error.lineno} column {error.colno}", f"is not JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise refuse(f"byte {error.start}", f"is not {error.encoding} text; JSON is written in UTF-8") from None
    except RecursionError:
        raise refuse(WHOLE_FILE, "is nested too deeply; describe output has fewer than ten levels") from None
    except RepeatedKey as error:
        raise refuse(WHOLE_FILE, str(error)) from None
    except ValueError:
        raise refuse(WHOLE_FILE, "has a number of thousands of digits; AWS's have at most twelve") from None


def _examine(
    documents: object, eni: str | None = None, carried: Sequence[str] | None = None, limits: Limits | None = None
) -> tuple[Described, tuple[Interface, ...], list[Problem]]:
    described, problems = read(documents, limits)
    interfaces, choice = resolve(described, eni, carried)
    return described, interfaces, problems + choice + lint(described, interfaces)


class RepeatedKey(ValueError):
    """A JSON object has one key twice."""


def unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose keys are all different: of two of one name, JSON readers silently drop one. For ``json.load``."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RepeatedKey(f"the key {json.dumps(twice)} is there twice in one object; join the two into one")
    return found
