"""Who has signed in, and how often somebody may try. In memory, bounded: a server that starts knows nobody.

Signing in proves the secret of an access key, as a signature does. A sign-in ends when its user signs out, when it has
not been used for a while, after half a day, when the key is changed or no longer active, and when its user, or all of
them together, have too many: then the oldest one goes.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

from halfsilver.harness.control.iam.access_keys import AccessKey
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["Attempts", "Keys", "SignIn", "SignIns", "check_key"]

LONGEST = 12 * 3600.0
"""Seconds that a sign-in is good for, as of AWS's console."""
IDLE = 3600.0
"""Seconds after its last use that it still is."""
MOST_PER_USER, MOST = 10, 1_000

FAILURES_PER_ADDRESS, FAILURES_PER_KEY = 10, 50
WINDOW = 300.0
"""Seconds in which there may be so many failures of one address, and of one access key."""
MOST_WATCHED = 10_000
"""Addresses and keys whose failures are remembered; beyond, those that failed longest ago are forgotten."""


class Keys(Protocol):
    """What knows the access keys (``access_keys.KeyStore``)."""

    def find(self, key_id: str) -> AccessKey | None:
        """None for a key that nobody has, or that is not active."""


@dataclass(slots=True)
class SignIn:
    """A user at a browser. ``csrf`` proves the browser's forms; times are of a clock that only runs on."""

    key: AccessKey
    csrf: str = field(repr=False)
    started: float
    used: float

    def proof(self, region: str) -> str:
        """What a form of that region's pages has, and nobody else can know."""
        return hmac.digest(self.csrf.encode(), region.encode(), "sha256").hex()


def check_key(keys: Keys, key_id: str, secret: str) -> AccessKey | None:
    """The key if that is its secret. Time tells nothing of the secret, nor whether there is such a key."""
    key = keys.find(key_id)
    salt = secrets.token_bytes(32)
    stored, claimed = (hmac.digest(salt, text.encode(), "sha256") for text in (key.secret if key else "", secret))
    return key if hmac.compare_digest(stored, claimed) and key is not None else None


class SignIns:
    """All there are. Threads may share it. A token is a browser's proof; only its hash is kept."""

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._all: OrderedDict[bytes, SignIn] = OrderedDict()  # in order of beginning

    def start(self, key: AccessKey) -> str:
        """A new sign-in; its token."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            own = [each for each, found in self._all.items() if found.key.caller == key.caller]
            for each in own[: max(0, len(own) - MOST_PER_USER + 1)]:
                del self._all[each]
            while len(self._all) >= MOST:
                self._all.popitem(last=False)
            self._all[_hash(token)] = SignIn(key, secrets.token_urlsafe(32), now, now)
        return token

    def find(self, token: str, *, used: bool = True) -> SignIn | None:
        """Whose token it is, None if it is nobody's or no longer good. ApiError: the keys cannot be read now.

        ``used``: somebody uses it, and not a page that somebody has left open.
        """
        place, now = _hash(token), self._clock()
        with self._lock:
            found = self._all.get(place)
        if found is None:
            return None
        if now - found.started >= LONGEST or now - found.used >= IDLE or self._keys.find(found.key.id) != found.key:
            self.end(token)
            return None
        if used:
            found.used = now
        return found

    def end(self, token: str) -> None:
        with self._lock:
            self._all.pop(_hash(token), None)


class Attempts:
    """How often signing in has failed of late, by address and by access key; whoever fails too often has to wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def admit(self, address: str, key_id: str) -> None:
        """ApiError (429) if there were too many failures. Whether the secret is right this time is not looked at."""
        now = self._clock()
        with self._lock:
            for name, most in _watched(address, key_id):
                failures = self._failures.get(name, deque())
                while failures and now - failures[0] >= WINDOW:
                    failures.popleft()
                if len(failures) >= most:
                    wait = int(WINDOW - (now - failures[0])) + 1
                    raise ApiError("TooManyRequests", f"Too many failures to sign in. Try again in {wait} s.", 429)

    def failed(self, address: str, key_id: str) -> None:
        with self._lock:
            for name, most in _watched(address, key_id):
                self._failures.setdefault(name, deque(maxlen=most)).append(self._clock())
                self._failures.move_to_end(name)
            while len(self._failures) > MOST_WATCHED:
                self._failures.popitem(last=False)


def _watched(address: str, key_id: str) -> tuple[tuple[Hashable, int], ...]:
    """What failures are counted for. Who has one IPv6 address has the other 2**64 of its network, too."""
    try:
        network: Hashable = ipaddress.ip_network((address.partition("%")[0], 64), strict=False)
    except ValueError:
        network = address
    return (network, FAILURES_PER_ADDRESS), (hashlib.sha256(key_id.encode()).digest(), FAILURES_PER_KEY)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
