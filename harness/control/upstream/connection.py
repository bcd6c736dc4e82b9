"""The look-alike over HTTP: one request, one answer, within bounds of time, size and number.

Nothing of the client's signature goes there. Requests are signed anew, with the account's twelve digits as access key
id, which LocalStack takes for the account, and a secret that is none; moto is told the account by a header of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import urllib3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.protocols.form import SIGNATURE_PARAMETERS
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.errors import EXIT_ENVIRONMENT, HalfsilverError, UsageError

__all__ = ["CONNECTIONS", "Connection", "Scope", "UpstreamBusy", "UpstreamError", "check_url"]

CONNECTIONS = 8
"""Requests under way at once. The server has more threads than that: whoever asks for Traffic Mirroring does not wait
for a look-alike that does not answer."""
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 30.0
"""For a whole answer."""
MAX_ANSWER = 32 << 20
"""Bytes of an answer."""
SECRET = "halfsilver"
"""Signs what goes to the look-alike, which does not check it."""

_CHUNK = 1 << 16
_NOT_ASKED = frozenset(
    {
        *("authorization", "x-amz-security-token", "x-amz-date", "x-moto-account-id", "host", "content-length"),
        *("connection", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
        *("expect", "accept-encoding", "date", "x-forwarded-for", "cookie"),
    }
)
"""Headers of a request that stay here: those of the client's signature and those of its connection."""
_NOT_ANSWERED = frozenset(
    {
        *("connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "content-length", "server", "date"),
        *("set-cookie", "content-encoding"),
    }
)
"""Headers of an answer that stay here, besides those by which web pages would be let in (``access-control-*``)."""


class UpstreamError(HalfsilverError):
    """The look-alike did not answer, or not in a way that can be used; the line says which."""

    exit_code = EXIT_ENVIRONMENT


class UpstreamBusy(UpstreamError):
    """As many requests as there may be are under way there."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose request it is to be there: account, region, and the service's name in signatures."""

    account: str
    region: str
    service: str


def check_url(url: str) -> str:
    """``http://HOST:PORT``, without more; UsageError for anything else."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise UsageError(f"--upstream {url}: must be the address of an AWS look-alike, such as http://127.0.0.1:5000")
    return f"{parts.scheme}://{parts.netloc}"


class Connection:
    """The way to the look-alike at a URL. Threads may share it. ``seconds`` for a whole answer."""

    def __init__(self, url: str, *, seconds: float = ANSWER_SECONDS) -> None:
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds)
        self.url = url
        self._seconds = seconds
        self._pool = urllib3.connection_from_url(url, maxsize=CONNECTIONS, retries=False, timeout=timeout)
        self._free = threading.BoundedSemaphore(CONNECTIONS)

    def send(self, request: Request, scope: Scope, *, wait: bool = False) -> Response:
        """Its answer. UpstreamError if there is none; UpstreamBusy if too many are under way, without ``wait``."""
        if not self._free.acquire(timeout=self._seconds if wait else 0):
            raise UpstreamBusy(f"{CONNECTIONS} requests are under way at {self.url}")
        try:
            return self._send(request, scope)
        finally:
            self._free.release()

    def close(self) -> None:
        self._pool.close()

    def _send(self, request: Request, scope: Scope) -> Response:
        request = replace(request, query_string=_unsigned(request.query_string))
        target = request.path + (f"?{request.query_string}" if request.query_string else "")
        headers = self._signed(request, target, scope)
        until = time.monotonic() + self._seconds
        try:
            answer = self._pool.urlopen(
                request.method,
                target,
                body=request.body or None,
                headers=headers,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                body = self._read(answer.stream(_CHUNK, decode_content=False), until)
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UpstreamError(f"{self.url} does not answer ({_brief(error)})") from None
        return Response(answer.status, body, tuple(_kept(answer.headers)))

    def _signed(self, request: Request, target: str, scope: Scope) -> dict[str, str]:
        """The headers to send."""
        kept = {name: value for name, value in request.headers if name not in _NOT_ASKED}
        kept |= {"host": urlsplit(self.url).netloc, "accept-encoding": "identity", "x-moto-account-id": scope.account}
        asked = AWSRequest(request.method, self.url + target, headers=kept, data=request.body)
        signer = S3SigV4Auth if scope.service == "s3" else SigV4Auth
        signer(Credentials(scope.account, SECRET), scope.service, scope.region).add_auth(asked)
        return {name: str(value) for name, value in asked.headers.items()}

    def _read(self, pieces: Iterable[bytes], until: float) -> bytes:
        found: list[bytes] = []
        size = 0
        for piece in pieces:
            size += len(piece)
            found.append(piece)
            if size > MAX_ANSWER:
                raise UpstreamError(f"{self.url} answers with more than {MAX_ANSWER} bytes")
            if time.monotonic() > until:
                raise UpstreamError(f"{self.url} takes more than {self._seconds:g} seconds for an answer")
        return b"".join(found)


def _unsigned(query: str) -> str:
    """A query string without the signature of a presigned request."""
    return "&".join(each for each in query.split("&") if each.partition("=")[0] not in SIGNATURE_PARAMETERS)


def _kept(headers: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for name, value in headers.items():
        if name.lower() not in _NOT_ANSWERED and not name.lower().startswith("access-control-"):
            yield name.lower(), value


def _brief(error: Exception) -> str:
    """What is wrong, without the address, which the line has already."""
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2][:120] or type(error).__name__
