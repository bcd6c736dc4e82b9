"""Temporary credentials: key id, secret and session token of a role that somebody has assumed, or of a user.

Nothing is kept of what was given out. The token itself says which role it is for and until when, sealed with a secret
of the server's, and key id and secret follow from both. So credentials outlive a restart, and are good at every server
with that secret; they end with their time, the role or the user, as at AWS.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from halfsilver.harness.control.operations.call import RoleSession

__all__ = ["SECRET_BYTES", "Credentials", "Sealed", "Seal"]

SECRET_BYTES = 32
"""Of the server's secret; the seal of a token has as many (HMAC-SHA-256)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client signs with for a while."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a token says: the session, the unique id that its role had when it was assumed, and the credentials.

    A user's own session has the user's ARN and id in the place of the role's.
    """

    session: RoleSession
    role_id: str
    credentials: Credentials


class Seal:
    """Makes credentials and recognises them. ``secret`` is the server's."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"the secret has {len(secret)} bytes and must have {SECRET_BYTES}")
        self._secret = secret

    def issue(self, session: RoleSession, role_id: str, lasting: timedelta) -> Credentials:
        """New credentials, good from the session's beginning; its times are kept to the second."""
        expires = session.began + lasting
        claims = {
            "role": session.role,
            "id": role_id,
            "name": session.name,
            "began": int(session.began.timestamp()),
            "expires": int(expires.timestamp()),
            "policies": session.policies,
            "nonce": secrets.token_hex(8),
        }
        content = json.dumps(claims, separators=(",", ":")).encode()
        return self._credentials(content, _time(claims["expires"]))

    def open(self, token: str) -> Sealed | None:
        """What a token says, whether its time is over or not; None for one that was not made with this secret."""
        try:
            whole = base64.b64decode(token, "-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        seal, content = whole[:SECRET_BYTES], whole[SECRET_BYTES:]
        if not hmac.compare_digest(seal, self._digest(b"token", content)):
            return None
        claims = json.loads(content)
        session = RoleSession(claims["role"], claims["name"], _time(claims["began"]), tuple(claims["policies"]))
        return Sealed(session, claims["id"], self._credentials(content, _time(claims["expires"])))

    def _credentials(self, content: bytes, expires: datetime) -> Credentials:
        token = base64.urlsafe_b64encode(self._digest(b"token", content) + content).decode()
        key_id = "ASIA" + base64.b32encode(self._digest(b"key id", content)[:10]).decode()
        secret = base64.b64encode(self._digest(b"secret", content)[:30]).decode()
        return Credentials(key_id, secret, token, expires)

    def _digest(self, purpose: bytes, content: bytes) -> bytes:
        return hmac.digest(self._secret, purpose + b"\0" + content, "sha256")


def _time(seconds: object) -> datetime:
    assert isinstance(seconds, int)
    return datetime.fromtimestamp(seconds, UTC)
