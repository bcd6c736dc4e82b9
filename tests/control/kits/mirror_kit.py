"""The mirroring operations on the example inventory, called as the server calls them but without the wire."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.operations import idempotency
from halfsilver.harness.control.operations.call import Call, Caller, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.operations.quotas import Quotas
from halfsilver.harness.control.state.store import Transaction
from tests.control.kits.inventory_kit import COLLECTOR, OWNER, WEB, Lab, example

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ANYWHERE = {"SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "0.0.0.0/0"}


class Desk(Lab):
    """A ``Lab`` with quotas of one's own, client tokens, and ``call`` beside its boto3 clients."""

    def __init__(self, documents: dict[str, Any] | None = None, **quotas: int) -> None:
        super().__init__(documents)
        self.settings = Settings(quotas=replace(Quotas(), **quotas))

    def execute(self, call: Call) -> Any:
        operation = OPERATIONS[call.service, call.operation]
        with self.store.begin(write=operation.writes) as transaction:
            known = idempotency.recall(transaction, call)
            if known is not None:
                return known
            result = operation.handler(Context(transaction, call, self.settings, self._random), call.parameters)
            if operation.writes:
                idempotency.remember(transaction, call, result)
            return result

    def handle(self, transaction: Transaction, operation: str, **parameters: Any) -> Any:
        """An operation inside a transaction of somebody else's."""
        caller = Caller(OWNER, f"arn:aws:iam::{OWNER}:user/ann", "AIDAEXAMPLE", "ann")
        call = Call("ec2", operation, copy.deepcopy(parameters), caller, "request", "127.0.0.1", NOON)
        context = Context(transaction, call, self.settings, self._random)
        return OPERATIONS["ec2", operation].handler(context, call.parameters)

    def call(self, operation: str, *, account: str = OWNER, now: datetime = NOON, **parameters: Any) -> Any:
        caller = Caller(account, f"arn:aws:iam::{account}:user/ann", "AIDAEXAMPLE", "ann")
        return self.execute(Call("ec2", operation, copy.deepcopy(parameters), caller, "request", "127.0.0.1", now))

    # What most tests need first; each returns an id.

    def filter(self, **parameters: Any) -> str:
        return self.call("CreateTrafficMirrorFilter", **parameters)["TrafficMirrorFilter"]["TrafficMirrorFilterId"]

    def rule(self, filter_id: str, number: int = 100, direction: str = "ingress", **parameters: Any) -> str:
        result = self.call(
            "CreateTrafficMirrorFilterRule",
            **{
                "TrafficMirrorFilterId": filter_id,
                "RuleNumber": number,
                "TrafficDirection": direction,
                "RuleAction": "accept",
                **ANYWHERE,
                **parameters,
            },
        )
        return result["TrafficMirrorFilterRule"]["TrafficMirrorFilterRuleId"]

    def target(self, eni_id: str = COLLECTOR, **parameters: Any) -> str:
        where = (
            {}
            if {"NetworkLoadBalancerArn", "GatewayLoadBalancerEndpointId"} & set(parameters)
            else {"NetworkInterfaceId": eni_id}
        )
        result = self.call("CreateTrafficMirrorTarget", **where, **parameters)
        return result["TrafficMirrorTarget"]["TrafficMirrorTargetId"]

    def session(self, filter_id: str, target_id: str, number: int = 1, eni_id: str = WEB, **parameters: Any) -> str:
        result = self.call(
            "CreateTrafficMirrorSession",
            NetworkInterfaceId=eni_id,
            TrafficMirrorTargetId=target_id,
            TrafficMirrorFilterId=filter_id,
            SessionNumber=number,
            **parameters,
        )
        return result["TrafficMirrorSession"]["TrafficMirrorSessionId"]

    def describe(self, what: str, **parameters: Any) -> list[Any]:
        """``describe("Sessions")``: the objects of one page."""
        return self.call(f"DescribeTrafficMirror{what}", **parameters)[f"TrafficMirror{what}"]

    def show(self, what: str, identifier: str, **parameters: Any) -> Any:
        """``show("Session", "tms-...")``: one object."""
        return self.describe(f"{what}s", **{f"TrafficMirror{what}Ids": [identifier]}, **parameters)[0]


@contextmanager
def refusal(code: str, message: str = "", status: int = 400) -> Iterator[None]:
    """The call inside is refused with exactly this code, and with this in the message."""
    with pytest.raises(ApiError) as info:
        yield
    assert (info.value.code, info.value.status) == (code, status), info.value
    assert message in info.value.message


def crowd(count: int) -> list[str]:
    """Ids of ``count`` interfaces that ``crowded`` has beside the example's."""
    return [f"eni-{0xC0000 + index:017x}" for index in range(count)]


def crowded(count: int, **fields: Any) -> dict[str, Any]:
    """The example inventory with more interfaces of its first account, not on the NIC."""
    documents = example()
    documents["NetworkInterfaces"] += [
        {
            "NetworkInterfaceId": eni_id,
            "OwnerId": OWNER,
            "InterfaceType": "interface",
            "Status": "in-use",
            "MacAddress": f"0a:cc:00:{index >> 16:02x}:{index >> 8 & 255:02x}:{index & 255:02x}",
            "PrivateIpAddress": f"10.0.{128 + (index >> 8)}.{index & 255}",
            "VpcId": "vpc-0a1b2c3d4e5f60001",
            "SubnetId": "subnet-0a1b2c3d4e5f60001",
            "Description": "",
            "TagSet": [],
            **fields,
        }
        for index, eni_id in enumerate(crowd(count))
    ]
    return documents
