"""Roles: who may assume one, what its temporary credentials are good for and how long, and what the file says of it."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from halfsilver.harness.control import sts
from halfsilver.harness.control.iam import condition_keys
from halfsilver.harness.control.iam.access_keys import KeyStore, anonymous
from halfsilver.harness.control.iam.assuming import RoleKeeper
from halfsilver.harness.control.iam.sigv4 import authenticate
from halfsilver.harness.control.iam.temporary import Seal
from halfsilver.harness.control.operations.call import Call, Caller, RoleSession, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.errors import UsageError
from tests.control.kits.signing_kit import (
    ACCOUNT,
    ENDPOINT,
    KEY_ID,
    OTHER_ACCOUNT,
    REGION,
    key_store,
    role,
    signed,
    user,
    write_users,
)

ANN = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDAANN", "ann")
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ARN = f"arn:aws:iam::{ACCOUNT}:role/visitor"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/visitor/day"
NOW = datetime.now(UTC).replace(microsecond=0)
"""When a test begins (`_now`): its requests are signed by the real time."""
ANN_MAY = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ARN}
ANN_MAY_NOT = {"Effect": "Deny", "Action": "sts:*", "Resource": "*"}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC).replace(microsecond=0))


def document(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def view(action: str = "ec2:Describe*") -> dict[str, Any]:
    return document({"Effect": "Allow", "Action": action, "Resource": "*"})


def assume(
    keys: KeyStore, caller: Caller = ANN, *, arn: str = ARN, insecure: bool = False, **parameters: Any
) -> dict[str, Any]:
    """The answer of AssumeRole."""
    asked = {"RoleArn": arn, "RoleSessionName": "day", **parameters}
    keeper = RoleKeeper(keys, None if insecure else keys.policies)
    call = Call("sts", "AssumeRole", asked, caller, "r", "192.0.2.7", NOW)
    return sts.assume_role(Context(None, call, Settings(REGION), Random(0), keeper), asked)


def refused(call: Callable[[], object]) -> tuple[str, int, str]:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value.code, caught.value.status, caught.value.message


def visitor(keys: KeyStore, **parameters: Any) -> Caller:
    """Who somebody is with the role's credentials."""
    given = assume(keys, **parameters)["Credentials"]
    found = keys.find_temporary(given["AccessKeyId"], given["SessionToken"])
    assert found is not None
    return found[0].caller


def sign(given: dict[str, Any], service: str, *, valid: int | None = None, **changed: str) -> Any:
    """A request signed with temporary credentials."""
    named = {"key_id": given["AccessKeyId"], "secret": given["SecretAccessKey"], "token": given["SessionToken"]}
    if valid is None:
        return signed(service, **{**named, **changed})
    return signed(service, "GET", f"{ENDPOINT}/?Action=X", body=b"", valid=valid, **{**named, **changed})


# Credentials.


@pytest.mark.parametrize("valid", [None, 900], ids=["header", "presigned"])
@pytest.mark.parametrize("service", ["ec2", "sts", "ram"])
def test_a_request_signed_with_a_roles_credentials_is_the_roles(
    service: str, valid: int | None, tmp_path: Path
) -> None:
    keys = key_store(tmp_path, Roles=[role()])
    answer = assume(keys)
    given = answer["Credentials"]
    assert answer["AssumedRoleUser"] == {"Arn": SESSION_ARN, "AssumedRoleId": "AROAVISITOR:day"}
    assert (given["AccessKeyId"][:4], len(given["AccessKeyId"])) == ("ASIA", 20) and len(given["SecretAccessKey"]) == 40
    assert given["Expiration"] == NOW + timedelta(hours=1)
    caller = authenticate(sign(given, service, valid=valid), keys, datetime.now(UTC), service=service, region=REGION)
    assert (caller.account, caller.arn, caller.user_id, caller.user_name) == (
        *(ACCOUNT, SESSION_ARN, "AROAVISITOR:day", ""),
    )
    again = assume(keys)["Credentials"]
    assert not {again[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")} & set(given.values())


@pytest.mark.parametrize(
    ("service", "unknown", "expired"),
    [
        ("ec2", ("AuthFailure", 401), ("RequestExpired", 400, "Request has expired.")),
        (
            "sts",
            ("InvalidClientTokenId", 403),
            ("ExpiredToken", 403, "The security token included in the request is expired"),
        ),
        (
            "ram",
            ("UnrecognizedClientException", 403),
            ("ExpiredTokenException", 403, "The security token included in the request is expired"),
        ),
    ],
)
def test_tokens_that_are_over_wrong_or_missing(
    service: str, unknown: tuple[str, int], expired: tuple[str, int, str], tmp_path: Path
) -> None:
    keys = key_store(tmp_path, Roles=[role()])
    given, other = assume(keys, DurationSeconds=900)["Credentials"], assume(keys)["Credentials"]

    def code(request: Any, later: int = 0) -> tuple[str, int, str]:
        now = NOW + timedelta(seconds=later)
        return refused(lambda: authenticate(request, keys, now, service=service, region=REGION))

    day = sign(given, service, valid=86_400)
    assert authenticate(day, keys, NOW + timedelta(seconds=899), service=service, region=REGION).arn == SESSION_ARN
    assert code(day, 900) == expired
    token = given["SessionToken"]
    flipped = base64.b64decode(token, "-_")
    forged = base64.urlsafe_b64encode(flipped[:-3] + bytes([flipped[-3] ^ 1]) + flipped[-2:]).decode()
    for wrong in (forged, other["SessionToken"], token[:-4], "", "no token", "ä"):
        if wrong.isascii():
            assert code(sign(given, service, token=wrong or None))[:2] == unknown
        assert keys.find_temporary(given["AccessKeyId"], wrong) is None
    assert code(sign(given, service, key_id=KEY_ID))[:2] == unknown
    own = signed(service, token=token)  # the key of a user has no token
    assert code(own)[:2] == unknown
    assert code(sign(given, service, secret=other["SecretAccessKey"]))[0] != expired[0]


def test_a_session_ends_with_its_role_and_lives_with_the_servers_secret(tmp_path: Path) -> None:
    keys = key_store(tmp_path, Roles=[role()])
    given = assume(keys)["Credentials"]
    name = (given["AccessKeyId"], given["SessionToken"])
    assert key_store(tmp_path, Roles=[role()]).find_temporary(*name) is not None  # another server, the same secret
    other = KeyStore(tmp_path / "keys.json", seal=Seal(b"x" * 32))
    assert other.find_temporary(*name) is None and KeyStore(tmp_path / "keys.json").find_temporary(*name) is None
    write_users(tmp_path / "keys.json", user(), Roles=[role(RoleId="AROANEW")])
    assert keys.find_temporary(*name) is None
    write_users(tmp_path / "keys.json", user())
    assert keys.find_temporary(*name) is None
    with pytest.raises(ValueError, match="must have 32"):
        Seal(b"short")


# A user's own session.


def session_token(keys: KeyStore, caller: Caller = ANN, **parameters: Any) -> dict[str, Any]:
    keeper = RoleKeeper(keys, keys.policies)
    call = Call("sts", "GetSessionToken", parameters, caller, "r", "192.0.2.7", NOW)
    given: dict[str, Any] = sts.get_session_token(Context(None, call, Settings(REGION), Random(0), keeper), parameters)
    return given["Credentials"]


def test_a_users_own_session_is_the_user_for_a_while(tmp_path: Path) -> None:
    keys = key_store(tmp_path, user(policies=(view(),)), Roles=[role()])
    given = session_token(keys)
    found = keys.find_temporary(given["AccessKeyId"], given["SessionToken"])
    assert found is not None and given["Expiration"] == found[1] == NOW + timedelta(hours=12)
    me = found[0].caller
    assert (me.arn, me.user_id, me.user_name, me.session) == (ANN.arn, ANN.user_id, ANN.user_name, None)
    assert found[0].secret == given["SecretAccessKey"] and keys.policies(me) == keys.policies(ANN)
    request = sign(given, "sts")
    assert authenticate(request, keys, NOW, service="sts", region=REGION) == me
    assert session_token(keys, DurationSeconds=900)["Expiration"] == NOW + timedelta(minutes=15)
    assert visitor(keys, caller=me).arn == SESSION_ARN
    for temporary in (me, visitor(keys)):
        assert refused(lambda temporary=temporary: session_token(keys, temporary))[:2] == ("AccessDenied", 403)
    assert refused(lambda: session_token(keys, TokenCode="123456"))[0] == "ValidationError"
    write_users(tmp_path / "keys.json", user(UserId="AIDANEW"))
    assert keys.find_temporary(given["AccessKeyId"], given["SessionToken"]) is None


def test_secrets_of_sessions_are_not_printed(tmp_path: Path) -> None:
    session = RoleSession(ARN, "day", NOW)
    given = Seal(bytes(32)).issue(session, "AROAVISITOR", timedelta(hours=1))
    sealed = Seal(bytes(32)).open(given.token)
    assert sealed is not None and (sealed.session, sealed.credentials) == (session, given)
    assert not any(each in f"{given!r} {sealed!r}" for each in (given.secret, given.token))


# Who may.


@pytest.mark.parametrize(
    ("trusts", "policy", "may"),
    [
        ({"AWS": ANN.arn}, None, True),  # named itself, in its own account
        ({"AWS": ["123456789013", "*"]}, None, True),
        ("*", None, True),
        ({"AWS": ANN.arn}, ANN_MAY_NOT, False),
        ({"AWS": ACCOUNT}, None, False),  # the account is trusted: its policies decide
        ({"AWS": ACCOUNT}, ANN_MAY, True),
        ({"AWS": ROOT}, ANN_MAY, True),
        ({"AWS": ACCOUNT}, {**ANN_MAY, "Resource": f"{ARN}2"}, False),
        ({"AWS": OTHER_ACCOUNT}, ANN_MAY, False),
        ({"AWS": ANN.arn + "a"}, ANN_MAY, False),
        ({"Service": "ec2.amazonaws.com"}, ANN_MAY, False),
        ({"Federated": "*"}, ANN_MAY, False),
    ],
)
def test_trust_and_the_callers_own_policies(trusts: Any, policy: Any, may: bool, tmp_path: Path) -> None:
    own = () if policy is None else (document(policy),)
    keys = key_store(tmp_path, user(policies=own), Roles=[role(trusts=trusts)])
    if may:
        assert assume(keys)["AssumedRoleUser"]["Arn"] == SESSION_ARN
    else:
        code, status, message = refused(lambda: assume(keys))
        assert (code, status) == ("AccessDenied", 403)
        begin = f"User: {ANN.arn} is not authorized to perform: sts:AssumeRole on resource: {ARN}"
        assert message.startswith(begin)


def test_over_accounts_both_must_allow(tmp_path: Path) -> None:
    """What is named itself in another account needs its own account's word too."""
    for trusts, policy, may in (
        ({"AWS": ANN.arn}, None, False),
        ({"AWS": ANN.arn}, {**ANN_MAY, "Resource": "*"}, True),
        ({"AWS": ACCOUNT}, {**ANN_MAY, "Resource": "*"}, True),
        ({"AWS": OTHER_ACCOUNT}, {**ANN_MAY, "Resource": "*"}, False),
    ):
        own = () if policy is None else (document(policy),)
        keys = key_store(tmp_path, user(policies=own), Roles=[role(account=OTHER_ACCOUNT, trusts=trusts)])
        there = f"arn:aws:iam::{OTHER_ACCOUNT}:role/visitor"
        if may:
            assert visitor(keys, arn=there).account == OTHER_ACCOUNT
        else:
            assert refused(lambda keys=keys, there=there: assume(keys, arn=there))[0] == "AccessDenied"


def test_a_role_that_is_not_there_is_refused_as_one_that_does_not_trust(tmp_path: Path) -> None:
    keys = key_store(tmp_path, user(), Roles=[role(trusts={"AWS": OTHER_ACCOUNT})])
    there, absent = refused(lambda: assume(keys)), refused(lambda: assume(keys, arn=ARN + "2"))
    assert absent == (*there[:2], there[2] + "2")
    root = anonymous(ACCOUNT)
    assert refused(lambda: assume(keys, root, arn=ARN + "2", insecure=True))[0] == "AccessDenied"
    assert assume(keys, root, insecure=True)["AssumedRoleUser"]["Arn"] == SESSION_ARN  # nobody is asked


@pytest.mark.parametrize(
    ("condition", "parameters", "may"),
    [
        ({"StringEquals": {"sts:ExternalId": "x1"}}, {"ExternalId": "x1"}, True),
        ({"StringEquals": {"sts:ExternalId": "x1"}}, {"ExternalId": "x2"}, False),
        ({"StringEquals": {"sts:ExternalId": "x1"}}, {}, False),
        ({"StringLike": {"sts:RoleSessionName": "d*"}}, {}, True),
        ({"StringLike": {"sts:RoleSessionName": "e*"}}, {}, False),
        ({"ArnEquals": {"aws:PrincipalArn": ANN.arn}}, {}, True),
        ({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}, {}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {}, False),
    ],
)
def test_conditions_of_a_trust_policy(condition: Any, parameters: dict[str, Any], may: bool, tmp_path: Path) -> None:
    trust = {"Effect": "Allow", "Principal": "*", "Action": "sts:*", "Condition": condition}
    keys = key_store(tmp_path, user(), Roles=[role(AssumeRolePolicyDocument=document(trust))])
    if may:
        assert visitor(keys, **parameters).arn == SESSION_ARN
    else:
        assert refused(lambda: assume(keys, **parameters))[0] == "AccessDenied"


def test_a_trust_policys_deny_is_final(tmp_path: Path) -> None:
    statement = {"Principal": "*", "Action": "sts:AssumeRole"}
    trust = document({**statement, "Effect": "Deny"}, {**statement, "Effect": "Allow"})
    keys = key_store(tmp_path, user(), Roles=[role(AssumeRolePolicyDocument=trust)])
    assert refused(lambda: assume(keys))[0] == "AccessDenied"


# What a session may, and for how long.


def test_a_session_may_what_its_role_may_and_its_own_policies_too(tmp_path: Path) -> None:
    managed = {"Account": ACCOUNT, "PolicyName": "look", "PolicyDocument": view("ec2:DescribeRegions")}
    look = f"arn:aws:iam::{ACCOUNT}:policy/look"
    own = [{"PolicyName": "p", "PolicyDocument": view()}]
    keys = key_store(tmp_path, Roles=[role(Policies=own)], ManagedPolicies=[managed])

    def may(action: str, **parameters: Any) -> str:
        return keys.policies(visitor(keys, **parameters)).decide(action, "*", {}).name

    assert may("ec2:DescribeRegions") == "ALLOWED" and may("ec2:CreateTags") == "NOT_ALLOWED"
    text = json.dumps(view("ec2:*Vpcs"))
    assert may("ec2:DescribeVpcs", Policy=text) == "ALLOWED"
    assert may("ec2:DescribeRegions", Policy=text) == "OUTSIDE_SESSION"
    assert may("ec2:CreateVpcs", Policy=text) == "NOT_ALLOWED"
    assert may("ec2:DescribeRegions", Policy=text, PolicyArns=[{"arn": look}]) == "ALLOWED"
    assert may("ec2:DescribeVpcs", PolicyArns=[{"arn": look}]) == "OUTSIDE_SESSION"
    deny = json.dumps(document({"Effect": "Deny", "Action": "*", "Resource": "*"}))
    assert may("ec2:DescribeVpcs", Policy=deny) == "DENIED_BY_SESSION"
    bound = visitor(keys, PolicyArns=[{"arn": look}])
    write_users(tmp_path / "keys.json", user(), Roles=[role(Policies=own)])
    assert keys.policies(bound).decide("ec2:DescribeRegions", "*", {}).name == "OUTSIDE_SESSION"  # it is gone


def test_what_conditions_see_of_a_session(tmp_path: Path) -> None:
    caller = visitor(key_store(tmp_path, Roles=[role()]))
    known = condition_keys.of_request(Call("ec2", "X", {}, caller, "r", "192.0.2.7", NOW), Settings(REGION))
    assert known["aws:principalarn"] == (ARN,) and known["aws:principaltype"] == ("AssumedRole",)
    assert known["aws:userid"] == ("AROAVISITOR:day",) and "aws:username" not in known
    assert known["aws:tokenissuetime"] == (NOW.isoformat(),)


def test_how_long_a_session_may_last(tmp_path: Path) -> None:
    long = role("guest", MaxSessionDuration=7200)
    keys = key_store(tmp_path, Roles=[role(), long])
    guest = f"arn:aws:iam::{ACCOUNT}:role/guest"
    asked = assume(keys, arn=guest, DurationSeconds=7200)["Credentials"]
    assert asked["Expiration"] == NOW + timedelta(hours=2)
    code, status, message = refused(lambda: assume(keys, DurationSeconds=3601))
    assert (code, status) == ("ValidationError", 400) and message.endswith("MaxSessionDuration set for this role.")
    chained = visitor(keys)
    assert visitor(keys, caller=chained, arn=guest, DurationSeconds=3600).arn.endswith("assumed-role/guest/day")
    _, _, message = refused(lambda: assume(keys, chained, arn=guest, DurationSeconds=3601))
    assert message.endswith("1 hour session limit for roles assumed by role chaining.")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"RoleSessionName": "a b"}, "ValidationError"),
        ({"ExternalId": "a b"}, "ValidationError"),
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        ({"Policy": "{}"}, "MalformedPolicyDocument"),
        ({"Policy": json.dumps(view("ec2:" + "x" * 2048))}, "PackedPolicyTooLarge"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{ACCOUNT}:policy/none"}]}, "ValidationError"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{OTHER_ACCOUNT}:policy/look"}]}, "ValidationError"),
        ({"Tags": [{"Key": "k", "Value": "v"}]}, "ValidationError"),
        ({"TokenCode": "123456"}, "ValidationError"),
    ],
)
def test_what_assume_role_does_not_take(parameters: dict[str, Any], code: str, tmp_path: Path) -> None:
    managed = {"Account": OTHER_ACCOUNT, "PolicyName": "look", "PolicyDocument": view()}
    keys = key_store(tmp_path, Roles=[role()], ManagedPolicies=[managed])
    assert refused(lambda: assume(keys, **parameters))[:2] == (code, 400)


# Groups and managed policies, and what is wrong in the file.


def test_a_user_may_what_its_groups_and_managed_policies_say(tmp_path: Path) -> None:
    managed = {"Account": ACCOUNT, "PolicyName": "look", "PolicyDocument": view("ec2:DescribeRegions")}
    attached = [{"PolicyName": "look", "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/look"}]
    groups = [
        {
            "Account": ACCOUNT,
            "GroupName": "tags",
            "Policies": [{"PolicyName": "p", "PolicyDocument": view("ec2:*Tags")}],
        },
        {"Account": ACCOUNT, "GroupName": "regions", "AttachedManagedPolicies": attached},
    ]
    for members, allowed in (
        ({}, set()),
        ({"Groups": ["tags"]}, {"ec2:CreateTags"}),
        ({"Groups": ["tags", "regions"]}, {"ec2:CreateTags", "ec2:DescribeRegions"}),
        ({"AttachedManagedPolicies": attached}, {"ec2:DescribeRegions"}),
        (
            {"AttachedManagedPolicies": [{"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}]},
            {"ec2:CreateTags", "ec2:DescribeRegions", "ram:X"},
        ),
    ):
        keys = key_store(tmp_path, user(policies=(), **members), Groups=groups, ManagedPolicies=[managed])
        asked = ("ec2:CreateTags", "ec2:DescribeRegions", "ram:X")
        assert {each for each in asked if keys.policies(ANN).decide(each, "*", {}).allowed} == allowed


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"Roles": [role(), role()]}, "Roles[1]: role visitor of account 123456789012 is there twice"),
        ({"Roles": {}}, "Roles must be a list"),
        ({"Rolls": []}, "'Rolls' is not known here; did you mean Roles?"),
        ({"Roles": [role(MaxSessionDuration=60)]}, "Roles[0].MaxSessionDuration: must be 3600 to 43200 seconds"),
        ({"Roles": [role(MaxSessionDuraton=60)]}, "did you mean MaxSessionDuration?"),
        ({"Roles": [role(RoleId="")]}, "Roles[0].RoleId"),
        ({"Roles": [role(trusts={"AWS": "ann"})]}, "Principal.AWS: 'ann' is no principal"),
        ({"Roles": [role(trusts={"Aws": "*"})]}, "'Aws' is not known here; did you mean AWS?"),
        ({"Roles": [role(AssumeRolePolicyDocument=view())]}, "'Resource' is not known here"),
        ({"Roles": [role(AssumeRolePolicyDocument=None)]}, "AssumeRolePolicyDocument: must be a JSON object"),
        ({"Users": [user(Groups=["viewrs"])]}, "Users[0].Groups: has what is no group of account"),
        ({"Users": [user(Groups=["viewrs"])]}, "did you mean viewers?"),
        ({"Users": [user(Groups=[["viewers"]])]}, "Users[0].Groups: has what is no group"),
        ({"Users": [user(account=OTHER_ACCOUNT, Groups=["viewers"])]}, f"no group of account {OTHER_ACCOUNT}"),
        (
            {"Users": [user(AttachedManagedPolicies=[{"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAcces"}])]},
            "did you mean arn:aws:iam::aws:policy/AdministratorAccess?",
        ),
        (
            {"Users": [user(AttachedManagedPolicies=[{"PolicyName": "x"}])]},
            "PolicyArn: is the ARN of no managed policy",
        ),
        ({"Users": [user(Polices=[])]}, "did you mean Policies?"),
        ({"Groups": [{"Account": ACCOUNT, "GroupName": "viewers"}] * 2}, "group viewers of account"),
        (
            {"ManagedPolicies": [{"Account": ACCOUNT, "PolicyName": "p", "PolicyDocument": view()}] * 2},
            "is there twice",
        ),
    ],
)
def test_mistakes_in_the_file_are_named(members: dict[str, Any], said: str, tmp_path: Path) -> None:
    lists = {"Groups": [{"Account": ACCOUNT, "GroupName": "viewers"}], **members}
    users = lists.pop("Users", [user()])
    with pytest.raises(UsageError) as caught:
        KeyStore(write_users(tmp_path / "keys.json", *users, **lists))
    assert said in str(caught.value) and "\n" not in str(caught.value)
