"""Who exists: users with their access keys and policies, in a file that its owner alone may read.

    {"Users": [{"Account": "123456789012", "UserName": "ann", "UserId": "AIDA...",
                "AccessKeys": [{"AccessKeyId": "AKIA...", "SecretAccessKey": "...", "Status": "Active"}],
                "Policies": [{"PolicyName": "view", "PolicyDocument": {"Version": "2012-10-17", "Statement": ...}}],
                "PermissionsBoundary": {"Version": "2012-10-17", "Statement": ...}}]}

The names are those of the IAM API. A user may have several keys (to change them one after the other); a key whose
``Status`` is ``Inactive`` is as good as none. A secret must be stored as it is, because a signature is verified by
making it again; so the file is refused when anybody but its owner may read it, and no secret is ever printed.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halfsilver.harness.control.iam.policies import Policies, Policy, load_policy
from halfsilver.harness.control.operations.call import Caller
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.state.private_files import locked_folder, read_private, write_private
from halfsilver.harness.errors import UsageError

__all__ = ["ADMINISTRATOR_POLICY", "AccessKey", "KeyStore", "anonymous", "create_user", "write_credentials"]

ADMINISTRATOR_POLICY: Mapping[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
"""AWS's managed policy of that name."""

_ACCOUNT = re.compile(r"[0-9]{12}")
_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_KEY_ID = re.compile(r"\w{16,128}", re.ASCII)
_SECRET = re.compile(r"[!-~]{16,128}")
_USER_ID = re.compile(r"\w{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key id, its secret, and whose it is."""

    id: str
    secret: str = field(repr=False)
    caller: Caller


@dataclass(frozen=True, slots=True)
class _Users:
    """The file's content at one moment. ``stamp`` changes with the file."""

    stamp: tuple[int, ...]
    keys: Mapping[str, AccessKey] = field(repr=False)
    policies: Mapping[str, Policies] = field(repr=False)


class KeyStore:
    """The users of a file, read again whenever it changes. Threads may share it.

    path        of the file
    partition   of the users' ARNs
    Raises UsageError when the file is missing, open to others or malformed.
    """

    def __init__(self, path: Path, *, partition: str = "aws") -> None:
        self._path = path
        self._partition = partition
        self._reading = threading.Lock()
        self._refused: tuple[int, ...] | None = None
        self._users = self._read(_stamp(path))

    def find(self, key_id: str) -> AccessKey | None:
        """An active key. ApiError ServiceUnavailable while the file, changed, cannot be used."""
        return self._current().keys.get(key_id)

    def policies(self, caller: Caller) -> Policies:
        """What binds this user; nothing allowed when the user is gone. ApiError as in ``find``."""
        return self._current().policies.get(caller.arn, Policies())

    def accounts(self) -> frozenset[str]:
        """The accounts that have users."""
        return frozenset(arn.split(":")[4] for arn in self._current().policies)

    def _current(self) -> _Users:
        stamp = _stamp(self._path)
        if stamp != self._users.stamp:
            with self._reading:
                if stamp != self._users.stamp:
                    self._refresh(stamp)
        return self._users

    def _refresh(self, stamp: tuple[int, ...]) -> None:
        """Without a usable file nobody is let in: the change may have been made to lock somebody out."""
        if stamp != self._refused:
            try:
                self._users, self._refused = self._read(stamp), None
                return
            except UsageError as error:
                self._refused = stamp
                print(f"halfsilver: {error}; requests are refused until the file is put right", file=sys.stderr)
        raise ApiError("ServiceUnavailable", "The server cannot read its access keys.", 503)

    def _read(self, stamp: tuple[int, ...]) -> _Users:
        document = _parse(read_private(self._path), self._path)
        keys: dict[str, AccessKey] = {}
        policies: dict[str, Policies] = {}
        for index, user in enumerate(document["Users"]):
            where = f"{self._path}: Users[{index}]"
            caller = _caller(user, self._partition, where)
            if caller.arn in policies:
                raise UsageError(f"{where}: user {caller.user_name} of account {caller.account} is there twice")
            policies[caller.arn] = _policies(user, where)
            for key in _active_keys(user, caller, where):
                if key.id in keys:
                    raise UsageError(f"{where}: access key {key.id} is there twice")
                keys[key.id] = key
        return _Users(stamp, keys, policies)


def anonymous(account: str, partition: str = "aws") -> Caller:
    """Whose requests are when signatures are not looked at: the root of the account, whom no policy binds."""
    return Caller(account, f"arn:{partition}:iam::{account}:root", account, "anonymous")


def create_user(
    path: Path, account: str, name: str, *, policy: Mapping[str, Any] = ADMINISTRATOR_POLICY, partition: str = "aws"
) -> AccessKey:
    """Add a user with a new random key and one policy to the file, which is made when it is not there.

    Raises UsageError when the user exists already, or for a bad name, account or policy; the file is then as before.
    """
    key_id = "AKIA" + _random_letters(16)
    secret = base64.b64encode(secrets.token_bytes(30)).decode()
    user = {
        "Account": account,
        "UserName": name,
        "UserId": "AIDA" + _random_letters(17),
        "AccessKeys": [{"AccessKeyId": key_id, "SecretAccessKey": secret, "Status": "Active"}],
        "Policies": [{"PolicyName": "initial", "PolicyDocument": dict(policy)}],
    }
    caller = _caller(user, partition, f"user {name}")
    _policies(user, f"user {name}")
    with locked_folder(path.parent):
        document = _parse(read_private(path), path) if path.exists() else {"Users": []}
        if any(
            isinstance(each, dict) and (each.get("Account"), each.get("UserName")) == (account, name)
            for each in document["Users"]
        ):
            raise UsageError(f"{path}: account {account} already has a user {name}")
        document["Users"].append(user)
        write_private(path, (json.dumps(document, indent=2) + "\n").encode())
    return AccessKey(key_id, secret, caller)


def write_credentials(path: Path, profile: str, key: AccessKey) -> None:
    """Add a key to a shared credentials file, which AWS clients read by ``AWS_SHARED_CREDENTIALS_FILE``.

    The file is made when it is not there; what is in it stays. UsageError when the profile is there already.
    """
    if not _NAME.fullmatch(profile):
        raise UsageError(f"{profile!r} is not a profile name: 1 to 64 letters, digits and _+=,.@-")
    with locked_folder(path.parent):
        text = read_private(path).decode("utf-8", "surrogateescape") if path.exists() else ""
        if re.search(rf"^\s*\[\s*(profile\s+)?{re.escape(profile)}\s*\]", text, re.MULTILINE):
            raise UsageError(f"{path}: has a profile {profile} already; take that section out, or name another")
        section = f"[{profile}]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n"
        separator = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        write_private(path, (text + separator + section).encode("utf-8", "surrogateescape"))


def _random_letters(count: int) -> str:
    return "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(count))


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes whenever the file, its mode or its owner does; empty when there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return (
        status.st_dev,
        status.st_ino,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_size,
        status.st_mode,
        status.st_uid,
    )


# Reading the file. No message shows a value that could be a secret.


def _parse(content: bytes, path: Path) -> dict[str, Any]:
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
    users = _members(document, {"Users"}, str(path)).get("Users")
    if not isinstance(users, list):
        raise UsageError(f"{path}: Users must be a list")
    return {"Users": users}


def _members(document: object, known: set[str], where: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise UsageError(f"{where}: must be a JSON object")
    if not known >= document.keys():
        raise UsageError(f"{where}: may have the members {', '.join(sorted(known))} and no other")
    return document


def _text(members: Mapping[str, Any], name: str, pattern: re.Pattern[str], what: str, where: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise UsageError(f"{where}.{name}: must be {what}")
    return value


def _list(members: Mapping[str, Any], name: str, where: str) -> list[Any]:
    value = members.get(name, [])
    if not isinstance(value, list):
        raise UsageError(f"{where}.{name}: must be a list")
    return value


def _caller(user: object, partition: str, where: str) -> Caller:
    members = _members(user, {"Account", "UserName", "UserId", "AccessKeys", "Policies", "PermissionsBoundary"}, where)
    account = _text(members, "Account", _ACCOUNT, "twelve digits", where)
    name = _text(members, "UserName", _NAME, "1 to 64 letters, digits and _+=,.@-", where)
    user_id = _text(members, "UserId", _USER_ID, "letters and digits, e.g. AIDA...", where)
    return Caller(account, f"arn:{partition}:iam::{account}:user/{name}", user_id, name)


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


def _policies(user: Mapping[str, Any], where: str) -> Policies:
    identity: list[Policy] = []
    for index, document in enumerate(_list(user, "Policies", where)):
        here = f"{where}.Policies[{index}]"
        members = _members(document, {"PolicyName", "PolicyDocument"}, here)
        name = _text(members, "PolicyName", _NAME, "1 to 64 letters, digits and _+=,.@-", here)
        identity.append(load_policy(members.get("PolicyDocument"), f"{here} ({name})"))
    boundary = user.get("PermissionsBoundary")
    return Policies(
        tuple(identity),
        load_policy(boundary, f"{where}.PermissionsBoundary") if "PermissionsBoundary" in user else None,
    )
