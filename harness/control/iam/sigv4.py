"""Whose request is it? AWS Signature Version 4, in the ``Authorization`` header or in the query string (presigned).

The signature covers method, path, query string, the named headers and the body; it is made with a key derived from
the user's secret for one day, region and service, the *scope*. Source: IAM User Guide, "AWS Signature Version 4 for
API requests". The path is normalized and encoded once more, but for S3; the body is always hashed, but in presigned
requests of S3 and where its client says ``UNSIGNED-PAYLOAD``; and ``host`` and every ``x-amz-*`` header must be signed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.iam.authentication_errors import AuthenticationErrors, errors_of
from halfsilver.harness.control.iam.identities import AccessKey
from halfsilver.harness.control.operations.call import Caller

__all__ = ["Keys", "SIGNING_NAMES", "authenticate"]

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED_BODY = "UNSIGNED-PAYLOAD"
CLOCK_SKEW = timedelta(minutes=15)
"""A date may be this far from the server's clock, either way."""
LONGEST_VALIDITY = 7 * 24 * 3600
"""Seconds for which a presigned request may be valid; the signing key is good for no longer."""

SIGNING_NAMES = {
    "cloudwatch": "monitoring",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tagging",
    "service-quotas": "servicequotas",
}
"""botocore's name of a service -> the service in the scope, where they differ."""
GLOBAL_REGIONS = dict.fromkeys(("sts", "iam", "route53", "cloudfront", "organizations", "budgets"), "us-east-1")
"""Services whose global endpoint is signed for this region, wherever the client is."""

_STAMP = re.compile("[0-9]{8}T[0-9]{6}Z")
_HEADER_FIELDS = ("Credential", "SignedHeaders", "Signature")
_QUERY_FIELDS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)

Headers = Mapping[str, list[str]]
"""Lower-case name -> its values, in the order in which they came."""
Pairs = list[tuple[str, str]]
"""Names and values of the query string, percent-encoded as the signature wants them."""


class Keys(Protocol):
    """What knows the access keys (``access_keys.KeyStore``)."""

    def find(self, key_id: str) -> AccessKey | None:
        """None for a key that nobody has, or that is not active."""

    def find_temporary(self, key_id: str, token: str) -> tuple[AccessKey, datetime] | None:
        """The key of a session token, and when it ends; None for a token that is wrong, or another key's."""


@dataclass(slots=True)
class Claim:
    """What the client says about its signature. Nothing of it has been checked.

    scope   date, region, service and terminator
    stamp   when it was signed, as the string to sign has it; signed_at is the same
    valid   seconds for which a presigned request is good; None for one that is signed in a header
    query   of the query string, what is signed
    token   the session token of temporary credentials, None where there is none
    """

    key_id: str
    scope: tuple[str, str, str, str]
    signed: tuple[str, ...]
    signature: str = field(repr=False)
    stamp: str
    signed_at: datetime
    valid: int | None
    query: Pairs = field(repr=False)
    token: str | None = field(default=None, repr=False)


def authenticate(request: Request, keys: Keys, now: datetime, *, service: str, region: str) -> Caller:
    """The user who signed the request. ApiError in the words of the service when nobody who is known did.

    service   botocore's name of the service that the request goes to: cloudwatch, ec2, elbv2, ram, sts
    region    the server's
    """
    errors = errors_of(service)
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name, []).append(value)
    claim = _claim(request, headers, errors)
    _check_scope(claim, service, region, errors)
    _check_time(claim, now, errors)
    _check_coverage(claim, headers, errors)
    body_hash = hashlib.sha256(request.body).hexdigest()
    stated = headers.get(
        "x-amz-content-sha256", [body_hash if service != "s3" or claim.valid is None else UNSIGNED_BODY]
    )
    if service == "s3" and stated == [UNSIGNED_BODY]:
        body_hash = UNSIGNED_BODY
    if stated != [body_hash]:
        raise errors.mismatch("The x-amz-content-sha256 header is not the SHA-256 of the body.")
    key, expires = _key(claim, keys, errors)
    signature = _signature(key.secret, claim, _canonical_request(request, headers, claim, body_hash))
    if not hmac.compare_digest(signature.encode(), claim.signature.encode()):
        raise errors.mismatch()
    if expires is not None and now >= expires:
        raise errors.expired_token()
    return key.caller


def _key(claim: Claim, keys: Keys, errors: AuthenticationErrors) -> tuple[AccessKey, datetime | None]:
    """The key that must have signed, and when it ends if it does."""
    if claim.token is not None:
        temporary = keys.find_temporary(claim.key_id, claim.token)
        if temporary is None:
            raise errors.unknown_token()
        return temporary
    key = keys.find(claim.key_id)
    if key is None:
        raise errors.unknown_key()
    return key, None


# What the client claims.


def _claim(request: Request, headers: Headers, errors: AuthenticationErrors) -> Claim:
    pairs = _pairs(request.query_string)
    presigned = any(name in _QUERY_FIELDS for name, _ in pairs)
    authorization = headers.get("authorization", [])
    if not presigned and not authorization:
        raise errors.missing()
    if len(authorization) + presigned > 1:
        raise errors.incomplete("The request is signed more than once.")
    claim = _claim_of_query(pairs, errors) if presigned else _claim_of_header(authorization[0], pairs, headers, errors)
    claim.token = _token(pairs, headers, errors)
    return claim


def _token(pairs: Pairs, headers: Headers, errors: AuthenticationErrors) -> str | None:
    """The session token, which is in the header or in the query string."""
    tokens = [unquote_to_bytes(value).decode("latin-1") for name, value in pairs if name == "X-Amz-Security-Token"]
    tokens += [value.strip() for value in headers.get("x-amz-security-token", [])]
    if len(tokens) > 1:
        raise errors.incomplete("The request has more than one security token.")
    return tokens[0] if tokens else None


def _claim_of_header(authorization: str, query: Pairs, headers: Headers, errors: AuthenticationErrors) -> Claim:
    algorithm, _, rest = authorization.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise errors.incomplete(f"The Authorization header must begin with {ALGORITHM}.")
    fields: dict[str, str] = {}
    for item in rest.split(","):
        name, equals, value = item.strip().partition("=")
        if not equals or name not in _HEADER_FIELDS or name in fields:
            raise errors.incomplete(
                f"The Authorization header must have {', '.join(_HEADER_FIELDS)}, each once, and nothing else."
            )
        fields[name] = value
    missing = [name for name in _HEADER_FIELDS if not fields.get(name)]
    if missing:
        raise errors.incomplete(f"The Authorization header requires a {missing[0]!r} parameter.")
    return _checked_claim(
        fields["Credential"], fields["SignedHeaders"], fields["Signature"], _stamp(headers, errors), None, query, errors
    )


def _claim_of_query(pairs: Pairs, errors: AuthenticationErrors) -> Claim:
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in _QUERY_FIELDS:
            if name in fields:
                raise errors.incomplete(f"The query string has {name} twice.")
            fields[name] = unquote_to_bytes(value).decode("utf-8", "replace")
    missing = [name for name in _QUERY_FIELDS if not fields.get(name)]
    if missing:
        raise errors.incomplete(f"A presigned request requires the query parameter {missing[0]}.")
    if fields["X-Amz-Algorithm"] != ALGORITHM:
        raise errors.incomplete(f"X-Amz-Algorithm must be {ALGORITHM}.")
    valid = fields["X-Amz-Expires"]
    if not re.fullmatch("[0-9]{1,6}", valid) or not 1 <= int(valid) <= LONGEST_VALIDITY:
        raise errors.incomplete(f"X-Amz-Expires must be 1 to {LONGEST_VALIDITY} seconds (a week).")
    return _checked_claim(
        fields["X-Amz-Credential"],
        fields["X-Amz-SignedHeaders"],
        fields["X-Amz-Signature"],
        fields["X-Amz-Date"],
        int(valid),
        [pair for pair in pairs if pair[0] != "X-Amz-Signature"],
        errors,
    )


def _checked_claim(
    credential: str,
    signed: str,
    signature: str,
    stamp: str,
    valid: int | None,
    query: Pairs,
    errors: AuthenticationErrors,
) -> Claim:
    parts = _credential(credential)
    if parts is None:
        raise errors.incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
        )
    names = _names(signed)
    if names is None:
        raise errors.incomplete("SignedHeaders must be lower-case names in order, each once, divided by semicolons.")
    return Claim(*parts, names, signature, stamp, _moment(stamp, errors), valid, query)


@lru_cache(maxsize=256)
def _credential(text: str) -> tuple[str, tuple[str, str, str, str]] | None:
    """Key id and scope; None where they are not written as they must be."""
    parts = text.split("/")
    if len(parts) != 5 or not all(parts):
        return None
    return parts[0], (parts[1], parts[2], parts[3], parts[4])


@lru_cache(maxsize=256)
def _names(signed: str) -> tuple[str, ...] | None:
    """The names of the signed headers; None where they are not written as they must be."""
    names = tuple(signed.split(";"))
    return names if names == tuple(sorted(set(names))) and signed == signed.lower() else None


def _stamp(headers: Headers, errors: AuthenticationErrors) -> str:
    """``X-Amz-Date``, or else ``Date`` in the same form or in that of HTTP."""
    values = headers.get("x-amz-date") or headers.get("date", [])
    if len(values) != 1:
        raise errors.incomplete("The request must have one X-Amz-Date header, or else one Date header.")
    value = values[0].strip()
    if "x-amz-date" not in headers and not _STAMP.fullmatch(value):
        try:
            return parsedate_to_datetime(value).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        except (ValueError, OverflowError):
            pass  # not HTTP's form either: refused with the other stamps that cannot be read
    return value


def _moment(stamp: str, errors: AuthenticationErrors) -> datetime:
    try:
        if not _STAMP.fullmatch(stamp):
            raise ValueError
        return datetime.fromisoformat(stamp)
    except ValueError:
        raise errors.incomplete("The date of the request must be written as in 20261120T120000Z.") from None


# What is checked before anything is calculated.


def _check_scope(claim: Claim, service: str, region: str, errors: AuthenticationErrors) -> None:
    date, its_region, its_service, terminator = claim.scope
    signing_name = SIGNING_NAMES.get(service, service)
    if terminator != TERMINATOR:
        raise errors.mismatch(f"Credential should be scoped with a valid terminator: '{TERMINATOR}'.")
    if its_service != signing_name:
        raise errors.mismatch(f"Credential should be scoped to correct service: '{signing_name}'.")
    if its_region not in (region, GLOBAL_REGIONS.get(service)):
        raise errors.mismatch(f"Credential should be scoped to a valid region: '{region}'.")
    if date != claim.stamp[:8]:
        raise errors.mismatch("Date in Credential scope does not match YYYYMMDD from the date of the request.")


def _check_time(claim: Claim, now: datetime, errors: AuthenticationErrors) -> None:
    age = now - claim.signed_at
    if age < -CLOCK_SKEW:
        raise errors.expired(
            f"Signature not yet current: {claim.stamp} is still later than "
            f"{_written(now + CLOCK_SKEW)} ({_written(now)} + 15 min.)"
        )
    if claim.valid is None and age > CLOCK_SKEW:
        raise errors.expired(
            f"Signature expired: {claim.stamp} is now earlier than "
            f"{_written(now - CLOCK_SKEW)} ({_written(now)} - 15 min.)"
        )
    if claim.valid is not None and age > timedelta(seconds=claim.valid):
        raise errors.expired(
            f"Signature expired: {claim.stamp} was good for {claim.valid} seconds; it is now {_written(now)}"
        )


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _check_coverage(claim: Claim, headers: Headers, errors: AuthenticationErrors) -> None:
    """All that could change the meaning of the request is signed, and all that is signed is there."""
    for name in headers:
        if name not in claim.signed and name.startswith("x-amz-"):
            raise errors.mismatch(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    if "host" not in claim.signed:
        raise errors.mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    if claim.valid is None and "x-amz-date" not in headers and "date" not in claim.signed:
        raise errors.mismatch("'Date' must be a 'SignedHeader' in the AWS Authorization.")
    for name in claim.signed:
        if name not in headers:
            raise errors.mismatch("A header that SignedHeaders names does not exist in the HTTP request.")


# The calculation.


def _pairs(query_string: str) -> Pairs:
    """In a form, ``+`` is a space: so it must be for the signature, or one could be exchanged for the other."""
    if not query_string:
        return []
    raw = query_string.encode("latin-1", "replace").replace(b"+", b" ")
    return [
        (quote(unquote_to_bytes(name), safe=""), quote(unquote_to_bytes(value), safe=""))
        for name, _, value in (pair.partition(b"=") for pair in raw.split(b"&") if pair)
    ]


def _canonical_path(path: str) -> str:
    """Without ``.``, ``..`` and double slashes, and percent-encoded once more."""
    if path == "/":
        return path
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    normalized = "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")
    return quote(normalized.encode("latin-1", "replace"), safe="/~")


def _canonical_request(request: Request, headers: Headers, claim: Claim, body_hash: str) -> bytes:
    lines = [
        request.method,
        request.path if claim.scope[2] == "s3" else _canonical_path(request.path),
        "&".join(f"{name}={value}" for name, value in sorted(claim.query)),
    ]
    for name in claim.signed:
        # Only ASCII white space is trimmed: a byte above 127 belongs to a character of which nothing is known here.
        values = (b" ".join(value.encode("latin-1", "replace").split()) for value in headers[name])
        lines.append(f"{name}:{b','.join(values).decode('latin-1')}")
    lines += ["", ";".join(claim.signed), body_hash]
    return "\n".join(lines).encode("latin-1", "replace")


def _signature(secret: str, claim: Claim, canonical_request: bytes) -> str:
    text = "\n".join([ALGORITHM, claim.stamp, "/".join(claim.scope), hashlib.sha256(canonical_request).hexdigest()])
    signer = _signer(secret, claim.scope).copy()
    signer.update(text.encode())
    return signer.hexdigest()


@lru_cache(maxsize=1024)
def _signer(secret: str, scope: tuple[str, str, str, str]) -> hmac.HMAC:
    """What a secret signs with on one day, to be copied; a secret that was changed has another one."""
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, digestmod="sha256")
