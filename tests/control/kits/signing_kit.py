"""Requests as AWS's own client library signs and sends them, and key stores to judge them by."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.iam.access_keys import KeyStore
from halfsilver.harness.control.iam.temporary import Seal

ACCOUNT, OTHER_ACCOUNT = "123456789012", "210987654321"
REGION = "eu-central-1"
KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ENDPOINT = "http://127.0.0.1:8080"
SEAL = Seal(bytes(32))
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def user(
    name: str = "ann",
    *,
    account: str = ACCOUNT,
    key_id: str = KEY_ID,
    secret: str = SECRET,
    policies: Sequence[Any] = (ALLOW_ALL,),
    **members: Any,
) -> dict[str, Any]:
    """A user as the key store's file has it."""
    return {
        "Account": account,
        "UserName": name,
        "UserId": f"AIDA{name.upper()}",
        "AccessKeys": [{"AccessKeyId": key_id, "SecretAccessKey": secret}],
        "Policies": [{"PolicyName": f"p{index}", "PolicyDocument": policy} for index, policy in enumerate(policies)],
        **members,
    }


def role(name: str = "visitor", *, account: str = ACCOUNT, trusts: Any = "*", **members: Any) -> dict[str, Any]:
    """A role as the key store's file has it, which may do everything; ``trusts`` is its trust policy's principal."""
    statement = {"Effect": "Allow", "Principal": trusts, "Action": "sts:AssumeRole"}
    return {
        "Account": account,
        "RoleName": name,
        "RoleId": f"AROA{name.upper()}",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": statement},
        "Policies": [{"PolicyName": "all", "PolicyDocument": ALLOW_ALL}],
        **members,
    }


def write_users(path: Path, *users: Any, **lists: Any) -> Path:
    """A file of users and other lists, with the mode that it must have."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps({"Users": list(users), **lists}))
    return path


def key_store(folder: Path, *users: Any, **lists: Any) -> KeyStore:
    return KeyStore(write_users(folder / "keys.json", *(users or (user(),)), **lists), seal=SEAL)


def as_received(prepared: AWSPreparedRequest) -> Request:
    """What a server sees of a request that botocore is about to send."""
    url = urlsplit(prepared.url)
    headers = [
        (name.lower(), value.decode("latin-1") if isinstance(value, bytes) else str(value))
        for name, value in prepared.headers.items()
    ]
    if not any(name == "host" for name, _ in headers):
        headers.append(("host", url.netloc))  # http.client adds it
    body = prepared.body or b""
    return Request(
        prepared.method, url.path or "/", url.query, tuple(headers), body.encode() if isinstance(body, str) else body
    )


class Sent(Exception):
    """Carries the request out of boto3, in place of an answer."""

    def __init__(self, prepared: AWSPreparedRequest) -> None:
        super().__init__("not sent")
        self.request = as_received(prepared)


def boto3_request(
    service: str, call: Callable[[Any], object], *, region: str = REGION, secret: str = SECRET, token: str | None = None
) -> Request:
    """The request that boto3 would send for a call of a client's method, signed now."""
    client = boto3.client(
        service,
        region_name=region,
        endpoint_url=ENDPOINT,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, inject_host_prefix=False),
    )

    def stop(request: AWSPreparedRequest, **_: Any) -> None:
        raise Sent(request)

    client.meta.events.register("before-send.*.*", stop)
    try:
        call(client)
    except Sent as sent:
        return sent.request
    raise AssertionError("boto3 sent nothing")


def signed(
    service: str = "ec2",
    method: str = "POST",
    url: str = f"{ENDPOINT}/",
    *,
    body: bytes = b"Action=X",
    headers: dict[str, str] | None = None,
    region: str = REGION,
    valid: int | None = None,
    key_id: str = KEY_ID,
    secret: str = SECRET,
    token: str | None = None,
) -> Request:
    """A request signed now by botocore; presigned for ``valid`` seconds if that is given."""
    request = AWSRequest(method, url, headers or {}, body)
    credentials = Credentials(key_id, secret, token)
    signer = (
        SigV4Auth(credentials, service, region)
        if valid is None
        else SigV4QueryAuth(credentials, service, region, expires=valid)
    )
    signer.add_auth(request)
    return as_received(request.prepare())


def with_header(request: Request, name: str, value: str | None) -> Request:
    """The request with another value of a header; None takes it away."""
    headers = [pair for pair in request.headers if pair[0] != name]
    return replace(request, headers=tuple(headers + ([] if value is None else [(name, value)])))


def stamp_of(request: Request) -> datetime:
    """When it was signed."""
    text = request.header("x-amz-date") or next(
        part.partition("=")[2] for part in request.query_string.split("&") if part.startswith("X-Amz-Date=")
    )
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
