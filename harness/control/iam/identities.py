"""The file of users, groups, roles and managed policies, read and checked: who may sign, and what binds whom.

No message shows a value that could be a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from halfsilver.harness.control.iam.policies import ADMINISTRATOR, Policies, Policy, load_policy
from halfsilver.harness.control.iam.trust import TrustPolicy, load_trust_policy
from halfsilver.harness.control.operations.call import Caller
from halfsilver.harness.errors import UsageError
from halfsilver.harness.spelling import nearest, rather

__all__ = ["NAME", "AccessKey", "Identities", "Role", "parse", "read_identities", "read_user"]

NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{12}")
_KEY_ID = re.compile(r"\w{16,128}", re.ASCII)
_SECRET = re.compile(r"[!-~]{16,128}")
_UNIQUE_ID = re.compile(r"\w{1,128}", re.ASCII)
_LISTS = ("Users", "Groups", "Roles", "ManagedPolicies")
_BOUND = {"Policies", "AttachedManagedPolicies"}
"""Members of users, groups and roles that say what they may."""
_HOUR = 3600
_LONGEST_SESSION = 12 * _HOUR
"""Seconds that a role may allow (IAM API, MaxSessionDuration)."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key id, its secret, and whose it is."""

    id: str
    secret: str = field(repr=False)
    caller: Caller


@dataclass(frozen=True, slots=True)
class Role:
    """Somebody whom others may be for a while: unique id, whom it trusts, and how long a session may last."""

    account: str
    name: str
    arn: str
    id: str
    trust: TrustPolicy
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Identities:
    """What a file says: keys by id; users, roles, managed policies, and what binds a user or a role, by ARN."""

    keys: Mapping[str, AccessKey] = field(repr=False)
    users: Mapping[str, Caller]
    roles: Mapping[str, Role]
    managed: Mapping[str, Policy] = field(repr=False)
    policies: Mapping[str, Policies] = field(repr=False)
    accounts: frozenset[str]
    """Those that have users."""
    lists: Mapping[str, list[Any]] = field(repr=False)
    """All that the file says, secrets too."""


def parse(content: bytes, path: Path) -> dict[str, list[Any]]:
    """The file's lists, ``Users`` first; UsageError when it is no JSON or has anything else."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise UsageError(f"{path}: a JSON object has one member twice")
        return members

    try:
        document = json.loads(content, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        at = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"{path}: is not JSON{at}") from None
    members = _members(document, set(_LISTS), str(path))
    if "Users" not in members:
        raise UsageError(f"{path}: Users must be a list")
    for name, value in members.items():
        if not isinstance(value, list):
            raise UsageError(f"{path}: {name} must be a list")
    return dict(members)


def read_identities(content: bytes, path: Path, partition: str) -> Identities:
    """All that the file says. UsageError with the place of the first mistake."""
    return _Reader(parse(content, path), partition, str(path)).read()


def read_user(user: object, partition: str, where: str) -> tuple[Caller, Policies]:
    """A user in no group and without managed policies."""
    reader = _Reader({}, partition, where)
    return reader.user(user, where), reader.bound(user, where)


class _Reader:
    """One pass over a file: what others refer to before those who do."""

    def __init__(self, lists: Mapping[str, list[Any]], partition: str, path: str) -> None:
        self._lists = lists
        self._partition = partition
        self._path = path
        self._managed = {f"arn:{partition}:iam::aws:policy/AdministratorAccess": ADMINISTRATOR.identity[0]}
        self._groups: dict[tuple[str, str], tuple[Policy, ...]] = {}
        self._policies: dict[str, Policies] = {}

    def read(self) -> Identities:
        for document, where in self._each("ManagedPolicies"):
            self._add_managed(document, where)
        for document, where in self._each("Groups"):
            self._add_group(document, where)
        roles = [self._add_role(document, where) for document, where in self._each("Roles")]
        keys: dict[str, AccessKey] = {}
        users = {}
        for document, where in self._each("Users"):
            caller = self.user(document, where)
            self._bind(caller.arn, f"user {caller.user_name} of account {caller.account}", document, where)
            users[caller.arn] = caller
            for key in _active_keys(document, caller, where):
                if key.id in keys:
                    raise UsageError(f"{where}: access key {key.id} is there twice")
                keys[key.id] = key
        accounts = frozenset(each.account for each in users.values())
        by_arn = {role.arn: role for role in roles}
        return Identities(keys, users, by_arn, self._managed, self._policies, accounts, self._lists)

    def user(self, document: object, where: str) -> Caller:
        known = {"Account", "UserName", "UserId", "AccessKeys", "Groups", "PermissionsBoundary"} | _BOUND
        members = _members(document, known, where)
        account = _account(members, where)
        name = _name(members, "UserName", where)
        user_id = _unique_id(members, "UserId", "AIDA...", where)
        return Caller(account, self._arn(account, f"user/{name}"), user_id, name)

    def bound(self, document: Any, where: str) -> Policies:
        """What binds a user or a role: its own policies, those attached to it, those of its groups, the boundary."""
        identity = self._own(document, where)
        known = [name for account, name in self._groups if account == document["Account"]]
        for name in _list(document, "Groups", where):
            if name not in known:
                meant = f"; {rather(name, known)}" if isinstance(name, str) and known else ""
                raise UsageError(f"{where}.Groups: has what is no group of account {document['Account']}{meant}")
            identity += self._groups[document["Account"], name]
        boundary = document.get("PermissionsBoundary")
        return Policies(
            identity,
            load_policy(boundary, f"{where}.PermissionsBoundary") if "PermissionsBoundary" in document else None,
        )

    def _each(self, name: str) -> Iterator[tuple[Any, str]]:
        return (
            (document, f"{self._path}: {name}[{index}]") for index, document in enumerate(self._lists.get(name, ()))
        )

    def _arn(self, account: str, resource: str) -> str:
        return f"arn:{self._partition}:iam::{account}:{resource}"

    def _bind(self, arn: str, who: str, document: object, where: str) -> None:
        if arn in self._policies:
            raise UsageError(f"{where}: {who} is there twice")
        self._policies[arn] = self.bound(document, where)

    def _own(self, document: Mapping[str, Any], where: str) -> tuple[Policy, ...]:
        own = []
        for index, each in enumerate(_list(document, "Policies", where)):
            here = f"{where}.Policies[{index}]"
            members = _members(each, {"PolicyName", "PolicyDocument"}, here)
            name = _name(members, "PolicyName", here)
            own.append(load_policy(members.get("PolicyDocument"), f"{here} ({name})"))
        for index, each in enumerate(_list(document, "AttachedManagedPolicies", where)):
            here = f"{where}.AttachedManagedPolicies[{index}]"
            arn = _members(each, {"PolicyName", "PolicyArn"}, here).get("PolicyArn")
            if arn not in self._managed:
                meant = f"; {rather(arn, self._managed)}" if isinstance(arn, str) else ""
                raise UsageError(f"{here}.PolicyArn: is the ARN of no managed policy here{meant}")
            own.append(self._managed[arn])
        return tuple(own)

    def _add_managed(self, document: object, where: str) -> None:
        members = _members(document, {"Account", "PolicyName", "PolicyDocument"}, where)
        name = _name(members, "PolicyName", where)
        arn = self._arn(_account(members, where), f"policy/{name}")
        if arn in self._managed:
            raise UsageError(f"{where}: {arn} is there twice")
        self._managed[arn] = load_policy(members.get("PolicyDocument"), f"{where} ({name})")

    def _add_group(self, document: object, where: str) -> None:
        members = _members(document, {"Account", "GroupName"} | _BOUND, where)
        group = (_account(members, where), _name(members, "GroupName", where))
        if group in self._groups:
            raise UsageError(f"{where}: group {group[1]} of account {group[0]} is there twice")
        self._groups[group] = self._own(members, where)

    def _add_role(self, document: object, where: str) -> Role:
        known = {"Account", "RoleName", "RoleId", "AssumeRolePolicyDocument", "MaxSessionDuration"}
        members = _members(document, known | {"PermissionsBoundary"} | _BOUND, where)
        account = _account(members, where)
        name = _name(members, "RoleName", where)
        longest = members.get("MaxSessionDuration", _HOUR)
        if type(longest) is not int or not _HOUR <= longest <= _LONGEST_SESSION:
            raise UsageError(f"{where}.MaxSessionDuration: must be {_HOUR} to {_LONGEST_SESSION} seconds")
        role = Role(
            account,
            name,
            self._arn(account, f"role/{name}"),
            _unique_id(members, "RoleId", "AROA...", where),
            load_trust_policy(members.get("AssumeRolePolicyDocument"), f"{where}.AssumeRolePolicyDocument"),
            timedelta(seconds=longest),
        )
        self._bind(role.arn, f"role {name} of account {account}", members, where)
        return role


def _members(document: object, known: set[str], where: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise UsageError(f"{where}: must be a JSON object")
    unknown = sorted(document.keys() - known)
    meant = nearest(unknown[0], known) if unknown else None
    if meant is not None:
        raise UsageError(f"{where}: {unknown[0]!r} is not known here; did you mean {meant}?")
    if unknown:
        raise UsageError(f"{where}: may have the members {', '.join(sorted(known))} and no other")
    return document


def _text(members: Mapping[str, Any], name: str, pattern: re.Pattern[str], what: str, where: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise UsageError(f"{where}.{name}: must be {what}")
    return value


def _account(members: Mapping[str, Any], where: str) -> str:
    return _text(members, "Account", _ACCOUNT, "twelve digits", where)


def _name(members: Mapping[str, Any], name: str, where: str) -> str:
    return _text(members, name, NAME, "1 to 64 letters, digits and _+=,.@-", where)


def _unique_id(members: Mapping[str, Any], name: str, example: str, where: str) -> str:
    return _text(members, name, _UNIQUE_ID, f"letters and digits, e.g. {example}", where)


def _list(members: Mapping[str, Any], name: str, where: str) -> list[Any]:
    value = members.get(name, [])
    if not isinstance(value, list):
        raise UsageError(f"{where}.{name}: must be a list")
    return value


def _active_keys(user: Mapping[str, Any], caller: Caller, where: str) -> list[AccessKey]:
    keys = []
    for index, document in enumerate(_list(user, "AccessKeys", where)):
        here = f"{where}.AccessKeys[{index}]"
        members = _members(document, {"AccessKeyId", "SecretAccessKey", "Status"}, here)
        key_id = _text(members, "AccessKeyId", _KEY_ID, "16 to 128 letters and digits", here)
        secret = _text(members, "SecretAccessKey", _SECRET, "16 to 128 characters without spaces", here)
        if members.get("Status", "Active") not in ("Active", "Inactive"):
            raise UsageError(f"{here}.Status: must be Active or Inactive")
        if members.get("Status", "Active") == "Active":
            keys.append(AccessKey(key_id, secret, caller))
    return keys
