"""A server's clock that is wrong, and clients that are wrong with it: how far it is ahead stands in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from halfsilver.harness.control.iam.sigv4 import CLOCK_SKEW
from tests.control.kits.serve_kit import QUICK, REGION

PROGRAM = (sys.executable, "-m", "tests.control.soak.skewed_server")
"""With ``ROOT`` in PYTHONPATH."""
SCOPES = {"cloudwatch": "monitoring"}
"""What botocore's service is called in a signature, where that is another name."""


class Skew:
    """How far the clock of a server is ahead of the machine's, in seconds.

    jumps  has one added before a jump and one after it: while it stays the same and even, nothing has jumped
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jumps = 0
        self.ahead = 0.0
        self._write()

    def jump(self, ahead: float) -> None:
        self.jumps += 1
        self.ahead = ahead
        self._write()
        self.jumps += 1

    def now(self) -> datetime:
        """By the server's clock."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def refuses_true(self) -> bool:
        """Whether what is signed by the true time is too old, or of the future."""
        return abs(self.ahead) > CLOCK_SKEW.total_seconds()

    def _write(self) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(str(self.ahead))
        os.replace(fresh, self.path)


def ahead_of_machine(path: Path) -> Callable[[], datetime]:
    """The clock that such a file makes; it is read each time."""
    return lambda: datetime.now(UTC) + timedelta(seconds=float(path.read_text()))


class _Signer(SigV4Auth):
    """botocore's own, with another time than the machine's."""

    def __init__(self, credentials: Credentials, scope: str, now: Callable[[], datetime]) -> None:
        super().__init__(credentials, scope, REGION)
        self._now = now

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._now().strftime(SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))


def skewed_client(service: str, url: str, credentials: Credentials, now: Callable[[], datetime]) -> Any:
    """A boto3 client that signs by this clock: botocore signs nothing, and each request before it is sent does."""
    config = QUICK.merge(Config(signature_version=UNSIGNED))
    client = boto3.session.Session(region_name=REGION).client(service, endpoint_url=url, config=config)
    signer = _Signer(credentials, SCOPES.get(service, service), now)

    def sign(request: AWSRequest, **_: Any) -> None:
        signer.add_auth(request)

    client.meta.events.register("request-created", sign)
    return client


def skewed_request(path: str, url: str, body: bytes, credentials: Credentials, now: Callable[[], datetime]) -> Any:
    """A signed POST beside the API, prepared."""
    request = AWSRequest("POST", url + path, data=body)
    _Signer(credentials, "ec2", now).add_auth(request)
    return request.prepare()
