"""Who exists: users with their access keys, groups, roles and policies, in a file that its owner alone may read.

    {"Users": [{"Account": "123456789012", "UserName": "ann", "UserId": "AIDA...",
                "AccessKeys": [{"AccessKeyId": "AKIA...", "SecretAccessKey": "...", "Status": "Active"}],
                "Groups": ["viewers"],
                "Policies": [{"PolicyName": "view", "PolicyDocument": {"Version": "2012-10-17", "Statement": ...}}],
                "AttachedManagedPolicies": [{"PolicyArn": "arn:aws:iam::123456789012:policy/mirror"}],
                "PermissionsBoundary": {"Version": "2012-10-17", "Statement": ...}}],
     "Groups": [{"Account": "123456789012", "GroupName": "viewers", "Policies": [...]}],
     "Roles": [{"Account": "123456789012", "RoleName": "auditor", "RoleId": "AROA...", "MaxSessionDuration": 3600,
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": ...}, "Policies": [...]}],
     "ManagedPolicies": [{"Account": "123456789012", "PolicyName": "mirror", "PolicyDocument": ...}]}

The names are those of the IAM API; ``Users`` must be there, the other lists may be. A user may have several keys (to
change them one after the other); a key whose ``Status`` is ``Inactive`` is as good as none. A secret must be stored as
it is, because a signature is verified by making it again; so the file is refused when anybody but its owner may read
it, and no secret is ever printed.
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
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from halfsilver.harness.control.iam.described import Described, describe
from halfsilver.harness.control.iam.identities import (
    NAME,
    AccessKey,
    Identities,
    Role,
    parse,
    read_identities,
    read_user,
)
from halfsilver.harness.control.iam.policies import Policies, Policy, load_policy
from halfsilver.harness.control.iam.temporary import Credentials, Seal, Sealed
from halfsilver.harness.control.operations.call import Caller, RoleSession
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.state.private_files import locked_folder, read_private, write_private
from halfsilver.harness.errors import UsageError

__all__ = ["ADMINISTRATOR_POLICY", "AccessKey", "KeyStore", "anonymous", "assumed", "create_user", "write_credentials"]

ADMINISTRATOR_POLICY: Mapping[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
"""AWS's managed policy of that name."""


class KeyStore:
    """The users of a file, read again whenever it changes. Threads may share it.

    path        of the file
    partition   of the users' ARNs
    Raises UsageError when the file is missing, open to others or malformed.
    """

    def __init__(self, path: Path, *, partition: str = "aws", seal: Seal | None = None) -> None:
        self._path = path
        self._name = str(path)
        self._partition = partition
        self._seal = seal
        self._reading = threading.Lock()
        self._refused: tuple[int, ...] | None = None
        stamp = _stamp(path)
        self._known = (stamp, self._read())

    def find(self, key_id: str) -> AccessKey | None:
        """An active key. ApiError ServiceUnavailable while the file, changed, cannot be used."""
        return self._current().keys.get(key_id)

    def find_temporary(self, key_id: str, token: str) -> tuple[AccessKey, datetime] | None:
        """The key of a session token and when it ends; None unless it is that token's and its role or user is there."""
        sealed = self._seal.open(token) if self._seal is not None else None
        caller = None if sealed is None or sealed.credentials.key_id != key_id else self._bearer(sealed)
        if sealed is None or caller is None:
            return None
        return AccessKey(key_id, sealed.credentials.secret, caller), sealed.credentials.expires

    def _bearer(self, sealed: Sealed) -> Caller | None:
        """Who signs with what was sealed: somebody in a role, or a user who asked for a session."""
        known, arn = self._current(), sealed.session.role
        role, user = known.roles.get(arn), known.users.get(arn)
        if role is not None and role.id == sealed.role_id:
            return assumed(role, sealed.session)
        if user is not None and user.user_id == sealed.role_id:
            return replace(user, temporary=True)
        return None

    def issue(self, role: Role, session: RoleSession, lasting: timedelta) -> Credentials:
        """Credentials for a session of a role."""
        assert self._seal is not None, "a store that knows the file alone gives out nothing"
        return self._seal.issue(session, role.id, lasting)

    def issue_own(self, user: Caller, began: datetime, lasting: timedelta) -> Credentials:
        """Credentials with which a user is itself, for a while."""
        assert self._seal is not None, "a store that knows the file alone gives out nothing"
        return self._seal.issue(RoleSession(user.arn, user.user_name, began), user.user_id, lasting)

    def role(self, arn: str) -> Role | None:
        """The role with this ARN. ApiError as in ``find``."""
        return self._current().roles.get(arn)

    def is_managed(self, arn: str) -> bool:
        """There is a managed policy with this ARN. ApiError as in ``find``."""
        return arn in self._current().managed

    def policies(self, caller: Caller) -> Policies:
        """What binds this user or role; nothing allowed when it is gone. ApiError as in ``find``."""
        known = self._current()
        own = known.policies.get(caller.principal, Policies())
        if caller.session is None or not caller.session.policies:
            return own
        bounds = [known.managed.get(each) or _session_policy(each) for each in caller.session.policies]
        return replace(own, session=tuple(bounds))

    def described(self, account: str) -> Described:
        """What an account has, as IAM describes it. ApiError as in ``find``."""
        return describe(self._current().lists, account, f"arn:{self._partition}:iam::{account}")

    def accounts(self) -> frozenset[str]:
        """The accounts that have users."""
        return self._current().accounts

    def _current(self) -> Identities:
        stamp = _stamp(self._name)
        if stamp != self._known[0]:
            with self._reading:
                if stamp != self._known[0]:
                    self._refresh(stamp)
        return self._known[1]

    def _refresh(self, stamp: tuple[int, ...]) -> None:
        """Without a usable file nobody is let in: the change may have been made to lock somebody out."""
        if stamp != self._refused:
            try:
                self._known, self._refused = (stamp, self._read()), None
                return
            except UsageError as error:
                self._refused = stamp
                print(f"halfsilver: {error}; requests are refused until the file is put right", file=sys.stderr)
        raise ApiError("ServiceUnavailable", "The server cannot read its access keys.", 503)

    def _read(self) -> Identities:
        return read_identities(read_private(self._path), self._path, self._partition)


@lru_cache(maxsize=1024)
def _session_policy(text: str) -> Policy:
    """A policy that AssumeRole was given; a managed one that is gone since allows nothing."""
    return Policy(()) if text.startswith("arn:") else load_policy(json.loads(text), "the session's policy")


def assumed(role: Role, session: RoleSession) -> Caller:
    """Whose requests are that are signed with a role's credentials."""
    arn = f"{role.arn.replace(':iam:', ':sts:', 1).replace(':role/', ':assumed-role/', 1)}/{session.name}"
    return Caller(role.account, arn, f"{role.id}:{session.name}", "", session)


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
    caller, _ = read_user(user, partition, f"user {name}")
    with locked_folder(path.parent):
        document = parse(read_private(path), path) if path.exists() else {"Users": []}
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
    if not NAME.fullmatch(profile):
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


def _stamp(path: Path | str) -> tuple[int, ...]:
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
