"""A small account in the store, calls of one of its users, and what policies say of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.iam.authorization import authorize
from halfsilver.harness.control.iam.policies import Policies, load_policy
from halfsilver.harness.control.operations.call import Call, Caller, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.state.record import Record
from halfsilver.harness.control.state.store import Store, Transaction
from tests.control.kits.signing_kit import ACCOUNT, OTHER_ACCOUNT, REGION

ANN = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDAANN", "ann")
SETTINGS = Settings(region=REGION)
ENI, FILTER, RULE, TARGET, SESSION = "eni-1", "tmf-1", "tmfr-1", "tmt-1", "tms-1"
SHARED, ENDPOINT = "tmt-2", "vpce-1"
SHARE = f"arn:aws:ram:{REGION}:{ACCOUNT}:resource-share/s1"
INVITATION = f"arn:aws:ram:{REGION}:{OTHER_ACCOUNT}:resource-share-invitation/i1"
OTHERS_SHARE = f"arn:aws:ram:{REGION}:{OTHER_ACCOUNT}:resource-share/s2"


def arn(resource: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:ec2:{REGION}:{account}:{resource}"


A_FILTER, A_RULE = arn(f"traffic-mirror-filter/{FILTER}"), arn(f"traffic-mirror-filter-rule/{RULE}")
A_SESSION, A_TARGET = arn(f"traffic-mirror-session/{SESSION}"), arn(f"traffic-mirror-target/{TARGET}")
AN_ENI, A_SHARED = arn(f"network-interface/{ENI}"), arn(f"traffic-mirror-target/{SHARED}", OTHER_ACCOUNT)
NEW_SESSION = arn("traffic-mirror-session/*")
CREATE_SESSION = {
    "NetworkInterfaceId": ENI,
    "TrafficMirrorTargetId": TARGET,
    "TrafficMirrorFilterId": FILTER,
    "SessionNumber": 1,
}


TAGS = {"TagSpecifications": [{"ResourceType": "x", "Tags": [{"Key": "Team", "Value": "red"}]}]}


@contextmanager
def small_account() -> Iterator[Transaction]:
    store = Store("sqlite://")
    with store.begin(write=True) as opened:
        for record in (
            Record("vpc", "vpc-1", OTHER_ACCOUNT, {}),
            Record("subnet", "subnet-1", OTHER_ACCOUNT, {}),
            Record(
                "interface",
                ENI,
                ACCOUNT,
                {"VpcId": "vpc-1", "SubnetId": "subnet-1", "AvailabilityZone": "eu-central-1a"},
                {"team": "red"},
            ),
            Record("filter", FILTER, ACCOUNT, {}, {"Team": "red", "env": "test"}),
            Record("rule", RULE, ACCOUNT, {}, {"Team": "rule"}, parent=FILTER, slot="ingress/100"),
            Record("target", TARGET, ACCOUNT, {}, {"Team": "blue"}),
            Record("endpoint", ENDPOINT, ACCOUNT, {}),
            Record("target", SHARED, OTHER_ACCOUNT, {}),
            Record("session", SESSION, ACCOUNT, {}, {"Team": "red"}),
            Record("resource-share", SHARE, ACCOUNT, {"name": "mine", "allowExternalPrincipals": False}, {"k": "v"}),
            Record("resource-share", OTHERS_SHARE, OTHER_ACCOUNT, {"name": "theirs"}),
            Record("share-invitation", INVITATION, ACCOUNT, {}, parent=OTHERS_SHARE),
        ):
            opened.insert(record)
        yield opened
    store.close()


def call(operation: str, parameters: Mapping[str, Any] | None = None, service: str = "ec2", **members: Any) -> Call:
    known = {"caller": ANN, "request_id": "r", "source_ip": "192.0.2.7", "now": datetime(2026, 11, 20, tzinfo=UTC)}
    return Call(service, operation, parameters or {}, **{**known, **members})


def policies(*statements: Any) -> Policies:
    """One for each statement."""
    return Policies(tuple(load_policy({"Version": "2012-10-17", "Statement": each}, "p") for each in statements))


def allow(action: Any, resource: Any = "*", **condition: Any) -> dict[str, Any]:
    found = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**found, "Condition": condition} if condition else found


def ask(transaction: Transaction, asked: Call, known: Policies) -> None:
    """What the server asks of the policies, for an operation that it serves or one that it does not know."""
    operation = OPERATIONS.get((asked.service, asked.operation))
    authorize(Context(transaction, asked, SETTINGS, random.Random(0)), known, operation.on if operation else ())


def permitted(transaction: Transaction, asked: Call, *statements: Any) -> bool:
    try:
        ask(transaction, asked, policies(*statements))
    except ApiError as error:
        assert error.status == 403
        return False
    return True


def refusal(transaction: Transaction, asked: Call, *statements: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        ask(transaction, asked, policies(*statements))
    return caught.value
