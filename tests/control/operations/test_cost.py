"""What a request costs does not depend on what it does not return: SQLite's own steps are counted, and statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.plane.data_plane import DataPlane
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.engines.golden import GoldenEngine
from tests.control.kits.inventory_kit import DATABASE, OWNER, WEB
from tests.control.kits.mirror_kit import Desk

MANY = 2500


class Cost:
    """steps       instructions of SQLite's virtual machine: each row that is looked at takes some
    statements  what was run
    """

    def __init__(self) -> None:
        self.steps = 0
        self.statements: list[str] = []


@contextmanager
def cost(desk: Desk) -> Iterator[Cost]:
    counted = Cost()

    def step() -> int:
        counted.steps += 1
        return 0

    def count(connection: Any, *_: Any) -> None:
        connection.set_progress_handler(step, 1)
        connection.set_trace_callback(counted.statements.append)

    event.listen(desk.store._engine, "checkout", count)
    for idle in desk.store._idle:
        count(idle.driver_connection)
    yield counted
    event.remove(desk.store._engine, "checkout", count)


def filled(count: int) -> Desk:
    """With so many tagged filters of one rule each."""
    desk = Desk()
    with desk.store.begin(write=True) as transaction:
        for number in range(count):
            name, rule = f"tmf-{number:017x}", f"tmfr-{number:017x}"
            filter_ = {"TrafficMirrorFilterId": name, "NetworkServices": []}
            transaction.insert(Record(Kind.FILTER, name, OWNER, filter_, {"Name": f"filter {number}"}))
            document = {
                "TrafficMirrorFilterRuleId": rule,
                "TrafficMirrorFilterId": name,
                "TrafficDirection": "ingress",
                "RuleNumber": 1,
            }
            transaction.insert(Record(Kind.RULE, rule, OWNER, document, parent=name, slot="1"))
    return desk


@pytest.fixture(scope="module")
def few() -> Desk:
    return filled(6)


@pytest.fixture(scope="module")
def many() -> Desk:
    return filled(MANY)


IDS = ["tmf-00000000000000000", "tmf-00000000000000004"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("DescribeTrafficMirrorFilters", {"MaxResults": 5}),
        ("DescribeTrafficMirrorFilterRules", {"MaxResults": 5}),
        ("DescribeTags", {"MaxResults": 5}),
        ("DescribeTrafficMirrorFilters", {"TrafficMirrorFilterIds": IDS[:1]}),
        ("DescribeTrafficMirrorFilters", {"TrafficMirrorFilterIds": IDS}),
        ("DescribeTrafficMirrorFilterRules", {"TrafficMirrorFilterId": IDS[0]}),
        ("DescribeTrafficMirrorFilters", {"Filters": [{"Name": "traffic-mirror-filter-id", "Values": IDS}]}),
    ],
)
def test_a_page_costs_what_it_returns(few: Desk, many: Desk, operation: str, parameters: dict[str, Any]) -> None:
    found = []
    for desk in (few, many):
        with cost(desk) as spent:
            result = desk.call(operation, **parameters)
        shown = next(value for name, value in result.items() if name != "NextToken")
        found.append((shown, len(spent.statements), spent.steps))
    (small, statements, steps), (large, statements_of_many, steps_of_many) = found
    assert small == large and small and statements
    assert statements_of_many == statements
    assert steps_of_many <= 1.2 * steps + 50


def test_what_is_of_one_parent_or_of_one_account_is_found_by_that(few: Desk) -> None:
    """Asked for both, a database may look through all that the account has."""
    for parameters, wanted, other in (
        ({"TrafficMirrorFilterId": IDS[0]}, f"'{IDS[0]}'", f"'{OWNER}'"),
        ({}, f"'{OWNER}'", "parent ="),
    ):
        with cost(few) as spent:
            few.call("DescribeTrafficMirrorFilterRules", **parameters)
        [asked] = [each for each in spent.statements if "'rule'" in each]
        where = asked.partition("WHERE")[2]
        assert wanted in where and other not in where, where


def test_what_the_nic_does_not_use_does_not_make_it_read_its_policy_again() -> None:
    desk = Desk()
    with_dns = desk.filter()
    desk.rule(with_dns)
    target = desk.target()
    desk.session(with_dns, target)
    plane = DataPlane(GoldenEngine, (WEB, DATABASE))
    with desk.store.begin() as transaction:
        plane.follow(transaction)

    def reads(operation: str, **parameters: Any) -> tuple[bool, Any]:
        """Whether the sessions of the NIC's interfaces were asked for, and the result."""
        assert OPERATIONS["ec2", operation].mirrors
        with cost(desk) as spent, plane.change() as apply, desk.store.begin(write=True) as transaction:
            result = desk.handle(transaction, operation, **parameters)
            transaction.advance()
            apply(transaction)
        assert plane.state.generation == plane.state.seen and plane.state.trouble is None
        return any(f"'{DATABASE}'" in each and "session" in each for each in spent.statements), result

    read, made = reads("CreateTrafficMirrorFilter")
    unused = made["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    assert not read
    assert not reads("CreateTags", Resources=[unused], Tags=[{"Key": "a", "Value": "b"}])[0]
    assert not reads("DeleteTrafficMirrorFilter", TrafficMirrorFilterId=unused)[0]
    before = plane.state.nic
    services = {"TrafficMirrorFilterId": with_dns, "AddNetworkServices": ["amazon-dns"]}
    assert reads("ModifyTrafficMirrorFilterNetworkServices", **services)[0]
    assert before is not None and plane.state.nic is not None
    assert plane.state.nic.policy.interfaces != before.policy.interfaces, "and the engine has it"
    plane.close()
