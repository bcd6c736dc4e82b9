"""Signatures: those of AWS's client library and of AWS's published examples are taken, everything else is not."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.iam.access_keys import AccessKey, KeyStore
from halfsilver.harness.control.iam.sigv4 import authenticate
from halfsilver.harness.control.operations.call import Caller
from halfsilver.harness.control.operations.errors import ApiError
from tests.control.kits.signing_kit import (
    ACCOUNT,
    KEY_ID,
    REGION,
    SECRET,
    boto3_request,
    key_store,
    signed,
    stamp_of,
    user,
    with_header,
)

MINUTE = timedelta(minutes=1)
MISMATCH = {
    "ec2": ("AuthFailure", 401),
    "elbv2": ("SignatureDoesNotMatch", 403),
    "sts": ("SignatureDoesNotMatch", 403),
    "ram": ("InvalidSignatureException", 403),
}
SIGNED_AS = {"ec2": "ec2", "elbv2": "elasticloadbalancing", "sts": "sts", "ram": "ram"}
CALLS = {
    "ec2": lambda client: client.create_traffic_mirror_filter(
        Description='<&" é*~ +/ %',
        TagSpecifications=[{"ResourceType": "traffic-mirror-filter", "Tags": [{"Key": "a b", "Value": "=&+"}]}],
    ),
    "elbv2": lambda client: client.describe_load_balancers(Names=["a", "b"]),
    "sts": lambda client: client.get_caller_identity(),
    "ram": lambda client: client.create_resource_share(name="é", principals=[ACCOUNT]),
    "ram query string": lambda client: client.delete_resource_share(
        resourceShareArn="arn:aws:ram:eu-central-1:123456789012:resource-share/a b+c~/é", clientToken="x&y=z"
    ),
}


@pytest.fixture()
def keys(tmp_path: Path) -> KeyStore:
    return key_store(tmp_path)


def who(request: Request, keys: KeyStore, service: str = "ec2", *, later: timedelta = timedelta(0)) -> Caller:
    """The caller, as seen by a server ``later`` than the signature."""
    return authenticate(request, keys, stamp_of(request) + later, service=service, region=REGION)


def refusal(request: Request, keys: KeyStore, service: str = "ec2", **named: timedelta) -> tuple[str, int]:
    with pytest.raises(ApiError) as caught:
        who(request, keys, service, **named)
    assert SECRET not in str(caught.value)
    return caught.value.code, caught.value.status


# What is taken.


@pytest.mark.parametrize("name", CALLS)
def test_requests_of_boto3_are_their_users(name: str, keys: KeyStore) -> None:
    service = name.partition(" ")[0]
    caller = who(boto3_request(service, CALLS[name]), keys, service)
    assert (caller.account, caller.user_name, caller.user_id) == (ACCOUNT, "ann", "AIDAANN")
    assert caller.arn == "arn:aws:iam::123456789012:user/ann"


@pytest.mark.parametrize("service", SIGNED_AS)
@pytest.mark.parametrize("valid", [None, 60])
def test_botocore_signers_in_both_forms(service: str, valid: int | None, keys: KeyStore) -> None:
    url = "http://h.example/p/q//r/./s?b=2&a=%20x%2B&a=1&c"
    request = signed(
        SIGNED_AS[service],
        "GET",
        url,
        body=b"",
        valid=valid,
        headers={"X-Amz-Meta": "  a   b ", "Content-Type": "text/x"},
    )
    assert who(request, keys, service).user_name == "ann"


def test_botocores_own_presigned_identity(keys: KeyStore) -> None:
    """As tools prove who they are to others: a presigned GetCallerIdentity, with a header of their own signed too."""
    url = "http://h.example/?Action=GetCallerIdentity&Version=2011-06-15"
    request = signed("sts", "GET", url, body=b"", valid=60, headers={"x-k8s-aws-id": "cluster"})
    assert who(request, keys, "sts").user_name == "ann"
    assert refusal(with_header(request, "x-k8s-aws-id", "other"), keys, "sts") == MISMATCH["sts"]


def test_the_global_sts_endpoint_is_signed_for_another_region(keys: KeyStore) -> None:
    assert who(signed("sts", region="us-east-1"), keys, "sts").user_name == "ann"
    assert refusal(signed("sts", region="us-west-2"), keys, "sts") == MISMATCH["sts"]
    assert refusal(signed("ec2", region="us-east-1"), keys) == MISMATCH["ec2"]


def test_date_header_instead_of_x_amz_date(keys: KeyStore) -> None:
    request = signed(headers={"Date": "now"})
    now = datetime.now(UTC)
    assert request.header("x-amz-date") is None and request.header("date") is not None
    assert authenticate(request, keys, now, service="ec2", region=REGION).user_name == "ann"
    with pytest.raises(ApiError, match="RequestExpired"):
        authenticate(request, keys, now + 16 * MINUTE, service="ec2", region=REGION)
    with pytest.raises(ApiError, match="IncompleteSignature"):
        authenticate(with_header(request, "date", "yesterday"), keys, now, service="ec2", region=REGION)


class PublishedKeys:
    """The key of AWS's examples."""

    def find(self, key_id: str) -> AccessKey | None:
        caller = Caller("1", "arn", "id", "suite")
        return {"AKIDEXAMPLE": AccessKey(key_id, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", caller)}.get(key_id)


FORM = (("content-type", "application/x-www-form-urlencoded"),)
PUBLISHED = {
    "get-vanilla": ("GET", "/", "", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-relative": (
        "GET",
        "/example/..",
        "",
        (),
        b"",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "get-slash": ("GET", "//", "", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-space": (
        "GET",
        "/example space/",
        "",
        (),
        b"",
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    "get-utf8": (
        "GET",
        "/ሴ".encode().decode("latin-1"),
        "",
        (),
        b"",
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    "get-vanilla-utf8-query": (
        "GET",
        "/",
        "ሴ=bar".encode().decode("latin-1"),
        (),
        b"",
        "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    ),
    "get-vanilla-empty-query-key": (
        "GET",
        "/",
        "Param1=value1",
        (),
        b"",
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    "get-vanilla-query-order-key-case": (
        "GET",
        "/",
        "Param2=value2&Param1=value1",
        (),
        b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-vanilla-query-order-value": (
        "GET",
        "/",
        "Param1=value2&Param1=value1",
        (),
        b"",
        "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
    ),
    "get-header-value-trim": (
        "GET",
        "/",
        "",
        (("my-header1", " value1"), ("my-header2", ' "a   b   c"')),
        b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "get-header-value-order": (
        "GET",
        "/",
        "",
        tuple(("my-header1", f"value{n}") for n in (4, 1, 3, 2)),
        b"",
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    "post-vanilla": ("POST", "/", "", (), b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "post-x-www-form-urlencoded": (
        "POST",
        "/",
        "",
        FORM,
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_test_suite_of_aws(name: str) -> None:
    method, path, query, headers, body, signature = PUBLISHED[name]
    every = (("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"), *headers)
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={';'.join(sorted({each for each, _ in every}))}, Signature={signature}"
    )
    request = Request(method, path, query, (*every, ("authorization", authorization)), body)
    now = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    assert authenticate(request, PublishedKeys(), now, service="service", region="us-east-1").user_name == "suite"
    with pytest.raises(ApiError):
        authenticate(replace(request, body=body + b" "), PublishedKeys(), now, service="service", region="us-east-1")


# What is not.


def test_every_part_of_a_signed_request_is_covered(keys: KeyStore) -> None:
    url = "http://h.example/a/b?x=1&y=2"
    request = signed("ec2", "POST", url, body=b"Action=X&Y=1", headers={"X-Amz-Target": "T", "Content-Type": "text/x"})
    assert who(request, keys).user_name == "ann"
    tampered = [
        replace(request, method="PUT"),
        replace(request, path="/a/c"),
        replace(request, path="/a/b/"),
        replace(request, query_string="x=1&y=3"),
        replace(request, query_string="x=1"),
        replace(request, query_string="x=1&y=2&z"),
        replace(request, body=b"Action=X&Y=2"),
        replace(request, body=b""),
        *(
            replace(
                request,
                headers=tuple(
                    (name, value + "x") if name == each else (name, value) for name, value in request.headers
                ),
            )
            for each in ("host", "x-amz-target", "content-type")
        ),
    ]
    for each in tampered:
        assert refusal(each, keys) == MISMATCH["ec2"], each


def test_every_part_of_a_presigned_request_is_covered(keys: KeyStore) -> None:
    request = signed("ec2", "GET", "http://h.example/?Action=DescribeRegions&A=%2B", body=b"", valid=60)
    assert who(request, keys).user_name == "ann"
    tampered = [
        request.query_string.replace("Describe", "Delete"),
        request.query_string + "&Force=true",
        request.query_string.replace("X-Amz-Expires=60", "X-Amz-Expires=61"),
        request.query_string.replace("%2B", "+"),
        request.query_string.replace("host", "date"),
        re.sub("Signature=[0-9a-f]", "Signature=g", request.query_string),
        request.query_string.replace(KEY_ID, "AKIAIOSFODNN7EXAMPL3"),
    ]
    for query in tampered:
        assert refusal(replace(request, query_string=query), keys) == MISMATCH["ec2"], query
    assert refusal(replace(request, body=b"Action=X"), keys) == MISMATCH["ec2"]


@pytest.mark.parametrize("service", SIGNED_AS)
def test_wrong_secret_unknown_key_and_foreign_scope(service: str, keys: KeyStore) -> None:
    unknown = {"ec2": ("AuthFailure", 401), "ram": ("UnrecognizedClientException", 403)}
    name = SIGNED_AS[service]
    assert refusal(signed(name, secret=SECRET[:-1] + "X"), keys, service) == MISMATCH[service]
    assert refusal(signed(name, key_id="AKIAIOSFODNN7NOBODY9"), keys, service) == unknown.get(
        service, ("InvalidClientTokenId", 403)
    )
    for wrong in (signed("s3"), signed(name, region="eu-central-2")):
        assert refusal(wrong, keys, service) == MISMATCH[service]
    request = signed(name)
    authorization = request.header("authorization") or ""
    day = stamp_of(request).strftime("%Y%m%d")
    yesterday = (stamp_of(request) - timedelta(days=1)).strftime("%Y%m%d")
    for old, new in (("/aws4_request", "/aws5_request"), (f"/{day}/", f"/{yesterday}/")):
        assert (
            refusal(with_header(request, "authorization", authorization.replace(old, new)), keys, service)
            == MISMATCH[service]
        )


@pytest.mark.parametrize("service", SIGNED_AS)
def test_clock_skew_and_replay(service: str, keys: KeyStore) -> None:
    expired = {"ec2": ("RequestExpired", 400)}.get(service, MISMATCH[service])
    request = signed(SIGNED_AS[service])
    for minutes in (-15, 15):
        assert who(request, keys, service, later=minutes * MINUTE).user_name == "ann"
    for minutes in (-16, 16, 60 * 24 * 365):
        assert refusal(request, keys, service, later=minutes * MINUTE) == expired


def test_a_fresh_date_on_an_old_signature_does_not_help(keys: KeyStore) -> None:
    request = signed()
    fresh = (stamp_of(request) + timedelta(seconds=1)).strftime("%Y%m%dT%H%M%SZ")
    assert refusal(with_header(request, "x-amz-date", fresh), keys) == MISMATCH["ec2"]


def test_how_long_presigned_requests_live(keys: KeyStore) -> None:
    week = 7 * 24 * 3600
    request = signed(valid=week, method="GET", body=b"")
    assert who(request, keys, later=timedelta(seconds=week)).user_name == "ann"
    assert refusal(request, keys, later=timedelta(seconds=week + 1)) == ("RequestExpired", 400)
    assert refusal(request, keys, later=-16 * MINUTE) == ("RequestExpired", 400)
    assert refusal(signed(valid=week + 1, method="GET", body=b""), keys) == ("IncompleteSignature", 400)
    assert refusal(signed(valid=0, method="GET", body=b""), keys) == ("IncompleteSignature", 400)


def test_host_and_all_x_amz_headers_must_be_signed(keys: KeyStore) -> None:
    request = signed()
    assert refusal(with_header(request, "x-amz-target", "Some.Operation"), keys) == MISMATCH["ec2"]
    assert who(with_header(request, "x-amzn-trace-id", "Root=1"), keys).user_name == "ann"
    presigned = signed(valid=60, method="GET", body=b"")
    assert refusal(with_header(presigned, "x-amz-target", "Some.Operation"), keys) == MISMATCH["ec2"]


def by_recipe(
    headers: dict[str, str],
    *,
    day: str = "20261120",
    term: str = "aws4_request",
    body_hash: str = hashlib.sha256(b"").hexdigest(),
    send: dict[str, str] | None = None,
) -> Request:
    """A request whose signature is right, made by AWS's published recipe where botocore would not make it."""
    scope, signed_headers = f"{day}/{REGION}/ec2/{term}", ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{signed_headers}\n{body_hash}"
    key = b"AWS4" + SECRET.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n20261120T120000Z\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    authorization = f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope},SignedHeaders={signed_headers},Signature={signature}"
    sent = headers if send is None else send
    return Request("POST", "/", "", (*sent.items(), ("authorization", authorization)))


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOST, DATED = {"host": "h"}, {"x-amz-date": "20261120T120000Z"}


def test_the_recipe_of_these_tests_is_right(keys: KeyStore) -> None:
    for request in (
        by_recipe({**HOST, **DATED}),
        by_recipe({**HOST, "date": "20261120T120000Z"}),
        by_recipe({**HOST, "date": "Fri, 20 Nov 2026 12:00:00 GMT"}),
    ):
        assert authenticate(request, keys, NOON, service="ec2", region=REGION).user_name == "ann"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (by_recipe(DATED, send={**HOST, **DATED}), "'Host' or ':authority' must be a 'SignedHeader'"),
        (by_recipe(HOST, send={**HOST, "date": "20261120T120000Z"}), "'Date' must be a 'SignedHeader'"),
        (by_recipe({**HOST, **DATED}, term="aws4_ask"), "valid terminator: 'aws4_request'"),
        (by_recipe({**HOST, **DATED}, day="20261119"), "Date in Credential scope does not match"),
        (by_recipe({**HOST, **DATED, "x-a": ""}, send={**HOST, **DATED}), "does not exist in the HTTP request"),
        (by_recipe({**HOST, **DATED, "x-amz-content-sha256": "0" * 64}), "is not the SHA-256 of the body"),
        (
            by_recipe({**HOST, **DATED, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, body_hash="UNSIGNED-PAYLOAD"),
            "is not the SHA-256 of the body",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_right_signatures_that_do_not_cover_enough(request_: Request, message: str, keys: KeyStore) -> None:
    with pytest.raises(ApiError, match=f"AuthFailure: .*{message}"):
        authenticate(request_, keys, NOON, service="ec2", region=REGION)


def test_the_body_hash_that_a_client_states(keys: KeyStore) -> None:
    right = hashlib.sha256(b"Action=X").hexdigest()
    assert who(signed(headers={"X-Amz-Content-SHA256": right}), keys).user_name == "ann"
    for value in ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", hashlib.sha256(b"").hexdigest()):
        assert refusal(signed(headers={"X-Amz-Content-SHA256": value}), keys) == MISMATCH["ec2"]


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("ec2", ("AuthFailure", 401)),
        ("sts", ("InvalidClientTokenId", 403)),
        ("elbv2", ("InvalidClientTokenId", 403)),
        ("ram", ("UnrecognizedClientException", 403)),
    ],
)
def test_session_tokens_of_others_are_unknown(service: str, expected: tuple[str, int], keys: KeyStore) -> None:
    request = boto3_request(service, CALLS[service], token="FwoGZXIvYXdzEXAMPLE")
    assert refusal(request, keys, service) == expected


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("ec2", "MissingAuthenticationToken"),
        ("sts", "MissingAuthenticationToken"),
        ("ram", "MissingAuthenticationTokenException"),
    ],
)
def test_unsigned_requests(service: str, expected: str, keys: KeyStore) -> None:
    bare = with_header(signed(SIGNED_AS[service]), "authorization", None)
    assert refusal(bare, keys, service) == (expected, 403)


@pytest.mark.parametrize(
    "change",
    [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("AWS4-HMAC-SHA256 ", ""),
        ("AWS4-HMAC-SHA256", "Basic"),
        ("Credential=", "Kredential="),
        ("Signature=", "Sig="),
        ("SignedHeaders=", "Headers="),
        (f"{KEY_ID}/", ""),
        ("/ec2/", "/"),
        ("SignedHeaders=", "SignedHeaders=host;"),
        ("host;", "Host;"),
        ("x-amz-date", "x-amz-date;a"),
        (", Signature", ", Credential=a/b/c/d/e, Signature"),
        (", Signature", ", X-Credential=a/b/c/ec2/e, Signature"),
        (", Signature", ", , Signature"),
        ("SignedHeaders=", "SignedHeaders=, X="),
    ],
    ids=lambda change: f"{change[0]}->{change[1]}",
)
def test_signatures_that_cannot_be_read(change: tuple[str, str], keys: KeyStore) -> None:
    request = signed()
    authorization = request.header("authorization") or ""
    assert change[0] in authorization
    broken = with_header(request, "authorization", authorization.replace(*change))
    assert refusal(broken, keys) == ("IncompleteSignature", 400)


@pytest.mark.parametrize(
    "date",
    [
        *("", "20261120", "20261120T120000", "20261320T120000Z", "2026-11-20T12:00:00Z", "x"),
        *("2026W475T120000Z", "20261120T250000Z", "20261120T120060Z", "20261120T120000+0000", "２０２６1120T120000Z"),
    ],
)
def test_dates_that_cannot_be_read(date: str, keys: KeyStore) -> None:
    request = signed()
    authorization = (request.header("authorization") or "").replace(f"{stamp_of(request):%Y%m%d}", date[:8] or "x")
    request = with_header(with_header(request, "x-amz-date", date), "authorization", authorization)
    with pytest.raises(ApiError) as caught:
        authenticate(request, keys, datetime.now(UTC), service="ec2", region=REGION)
    assert (caught.value.code, caught.value.status) == ("IncompleteSignature", 400)


def test_a_request_signed_twice_is_refused(keys: KeyStore) -> None:
    request = signed()
    twice = replace(request, headers=(*request.headers, ("authorization", request.header("authorization") or "")))
    assert refusal(twice, keys) == ("IncompleteSignature", 400)
    presigned = signed(valid=60, method="GET", body=b"")
    both = with_header(presigned, "authorization", request.header("authorization"))
    assert refusal(both, keys) == ("IncompleteSignature", 400)
    doubled = replace(presigned, query_string=f"X-Amz-Credential=a&{presigned.query_string}")
    assert refusal(doubled, keys) == ("IncompleteSignature", 400)
    disguised = replace(presigned, query_string=f"X-Amz-Credentia%6C=a&{presigned.query_string}")
    assert refusal(disguised, keys) == ("IncompleteSignature", 400)


@pytest.mark.parametrize(
    "part",
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"],
)
def test_a_presigned_request_needs_all_its_parts(part: str, keys: KeyStore) -> None:
    request = signed(valid=60, method="GET", body=b"")
    query = "&".join(each for each in request.query_string.split("&") if not each.startswith(f"{part}="))
    with pytest.raises(ApiError, match=f"IncompleteSignature.*{part}"):
        authenticate(replace(request, query_string=query), keys, datetime.now(UTC), service="ec2", region=REGION)


def test_a_presigned_request_names_the_algorithm(keys: KeyStore) -> None:
    request = signed(valid=60, method="GET", body=b"")
    other = request.query_string.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")
    assert refusal(replace(request, query_string=other), keys) == ("IncompleteSignature", 400)


def test_an_inactive_key_is_as_good_as_none(tmp_path: Path) -> None:
    inactive = {"AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Status": "Inactive"}
    assert refusal(signed("sts"), key_store(tmp_path, {**user(), "AccessKeys": [inactive]}), "sts") == (
        "InvalidClientTokenId",
        403,
    )


def test_nothing_of_a_claim_prints_its_signature(keys: KeyStore) -> None:
    request = signed()
    signature = (request.header("authorization") or "").rpartition("=")[2]
    with pytest.raises(ApiError) as caught:
        who(with_header(request, "x-amz-extra", "1"), keys)
    assert signature not in str(caught.value) and KEY_ID not in str(caught.value)
