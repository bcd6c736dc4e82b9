"""Ids, filters and pages of the Describe operations."""

from __future__ import annotations

import base64
import json
import time
import tracemalloc

import pytest

from halfsilver.harness.control.state.record import Record
from tests.control.kits.inventory_kit import COLLECTOR, DATABASE, OWNER, PARTNER, SENSORS, WEB
from tests.control.kits.mirror_kit import Desk, refusal


@pytest.fixture(scope="module")
def desk():
    """Three filters, rules, targets and sessions whose members differ; nothing changes them."""
    desk = Desk()

    def tags(kind, **pairs):
        return [
            {
                "ResourceType": f"traffic-mirror-{kind}",
                "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()],
            }
        ]

    desk.a = desk.filter(Description="alpha*", TagSpecifications=tags("filter", Name="one", team="red"))
    desk.b = desk.filter(Description="al?ha", TagSpecifications=tags("filter", Name="two", team="red"))
    desk.c = desk.filter(Description="Beta")
    desk.eni = desk.target(Description="eni", TagSpecifications=tags("target", Name="t"))
    desk.nlb = desk.target(NetworkLoadBalancerArn=SENSORS)
    desk.first = desk.session(
        desk.a,
        desk.eni,
        1,
        PacketLength=100,
        VirtualNetworkId=7,
        Description="first",
        TagSpecifications=tags("session", Name="s"),
    )
    desk.second = desk.session(desk.b, desk.nlb, 2, VirtualNetworkId=8)
    desk.third = desk.session(desk.c, desk.eni, 1, eni_id=DATABASE, VirtualNetworkId=9, Description="third\nline")
    desk.tcp = desk.rule(desk.a, 10, Protocol=6, Description="tcp")
    desk.any = desk.rule(desk.a, 20, "egress", RuleAction="reject")
    desk.v6 = desk.rule(desk.b, 10, Protocol=17, SourceCidrBlock="::/0", DestinationCidrBlock="2001:db8::/32")
    desk.filter(account=PARTNER, Description="alpha*")
    return desk


def filtered(desk, what, *filters, **parameters):
    """The ids of what fits filters (name, value, value, ...)."""
    written = [{"Name": name, "Values": list(values)} for name, *values in filters]
    singular = what.removesuffix("s")
    return [each[f"TrafficMirror{singular}Id"] for each in desk.describe(what, Filters=written, **parameters)]


@pytest.mark.parametrize(
    ("what", "name", "value", "wanted"),
    [
        ("Filters", "traffic-mirror-filter-id", "{a}", "a"),
        ("Filters", "description", "Beta", "c"),
        ("Filters", "tag:Name", "two", "b"),
        ("Filters", "tag-key", "team", "a b"),
        ("Sessions", "description", "first", "first"),
        ("Sessions", "network-interface-id", WEB, "first second"),
        ("Sessions", "owner-id", OWNER, "first second third"),
        ("Sessions", "packet-length", "8500", "second"),
        ("Sessions", "session-number", "2", "second"),
        ("Sessions", "traffic-mirror-filter-id", "{c}", "third"),
        ("Sessions", "traffic-mirror-session-id", "{third}", "third"),
        ("Sessions", "traffic-mirror-target-id", "{eni}", "first third"),
        ("Sessions", "virtual-network-id", "8", "second"),
        ("Sessions", "tag:Name", "s", "first"),
        ("Targets", "description", "eni", "eni"),
        ("Targets", "network-interface-id", COLLECTOR, "eni"),
        ("Targets", "network-load-balancer-arn", SENSORS, "nlb"),
        ("Targets", "owner-id", OWNER, "eni nlb"),
        ("Targets", "traffic-mirror-target-id", "{nlb}", "nlb"),
        ("FilterRules", "traffic-mirror-filter-rule-id", "{tcp}", "tcp"),
        ("FilterRules", "traffic-mirror-filter-id", "{a}", "tcp any"),
        ("FilterRules", "rule-number", "20", "any"),
        ("FilterRules", "rule-action", "reject", "any"),
        ("FilterRules", "traffic-direction", "ingress", "tcp v6"),
        ("FilterRules", "protocol", "17", "v6"),
        ("FilterRules", "source-cidr-block", "::/0", "v6"),
        ("FilterRules", "destination-cidr-block", "0.0.0.0/0", "tcp any"),
        ("FilterRules", "description", "tcp", "tcp"),
    ],
)
def test_every_documented_filter(desk, what, name, value, wanted):
    value = value.format(**vars(desk))
    assert filtered(desk, what, (name, value)) == [getattr(desk, each) for each in wanted.split()]
    assert filtered(desk, what, (name, "no such value")) == []


def test_filters_are_and_and_values_are_or(desk):
    assert filtered(desk, "Sessions", ("session-number", "1", "2")) == [desk.first, desk.second, desk.third]
    assert filtered(desk, "Sessions", ("session-number", "1", "2"), ("network-interface-id", WEB)) == [
        desk.first,
        desk.second,
    ]
    assert filtered(desk, "Sessions", ("session-number", "1"), ("session-number", "2")) == []
    assert filtered(desk, "Filters", ("tag-key", "team"), ("tag:Name", "one")) == [desk.a]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("*", "a b c"),
        ("al*", "a b"),
        ("*a", "b c"),
        ("al?ha", "b"),
        ("al?ha?", "a"),
        ("????", "c"),
        ("alpha\\*", "a"),
        ("al\\?ha", "b"),
        ("alpha?", "a"),
        ("beta", ""),
        ("B*t*a", "c"),
        ("*B*e*t*a*", "c"),
        ("B*a*", "c"),
        ("a*a*b", ""),
        ("B\\eta", "c"),
        ("", ""),
        ("alpha\\\\*", ""),
    ],
)
def test_wildcards_and_backslashes(desk, value, wanted):
    assert filtered(desk, "Filters", ("description", value)) == [getattr(desk, each) for each in wanted.split()]


def test_a_wildcard_stands_for_line_ends_too(desk):
    assert filtered(desk, "Sessions", ("description", "third*")) == [desk.third]


def test_many_wildcards_take_no_time(desk):
    long = desk.filter(account="333333333333", Description="a" * 250)
    before = time.process_time()
    assert filtered(desk, "Filters", ("description", "*a" * 120 + "b"), account="333333333333") == []
    assert filtered(desk, "Filters", ("description", "*a" * 120 + "*"), account="333333333333") == [long]
    assert time.process_time() - before < 2


@pytest.mark.parametrize("what", ["Filters", "FilterRules", "Sessions", "Targets"])
def test_filters_that_cannot_be(desk, what):
    for name in ("packet_length", "tag", "Description", ""):
        with refusal("InvalidParameterValue", f"The filter '{name}' is invalid"):
            filtered(desk, what, (name, "1"))
    with refusal("MissingParameter", "description"):
        filtered(desk, what, ("description",))
    with refusal("FilterLimitExceeded"):
        filtered(desk, what, *[("description", "x")] * 51)
    with refusal("FilterLimitExceeded"):
        filtered(desk, what, ("description", *map(str, range(201))))


def test_explicit_ids(desk):
    assert [
        each["TrafficMirrorFilterId"]
        for each in desk.describe("Filters", TrafficMirrorFilterIds=[desk.c, desk.a, desk.c])
    ] == [desk.a, desk.c]
    assert filtered(desk, "Filters", ("description", "Beta"), TrafficMirrorFilterIds=[desk.a, desk.c]) == [desk.c]
    for what, code in (
        ("Filters", "InvalidTrafficMirrorFilterId.NotFound"),
        ("FilterRules", "InvalidTrafficMirrorFilterRuleId.NotFound"),
        ("Sessions", "InvalidTrafficMirrorSessionId.NotFound"),
        ("Targets", "InvalidTrafficMirrorTargetId.NotFound"),
    ):
        with refusal(code, "'x-1' does not exist"):
            desk.describe(what, **{f"TrafficMirror{what.removesuffix('s')}Ids": ["x-1"]})
    with refusal("InvalidTrafficMirrorFilterId.NotFound", "'tmf-1, tmf-2' do not exist"):
        desk.describe("Filters", TrafficMirrorFilterIds=["tmf-1", desk.a, "tmf-2"])


@pytest.mark.parametrize("parameters", [{"MaxResults": 5}, {"NextToken": "x"}])
def test_ids_and_pages_exclude_each_other(desk, parameters):
    with refusal("InvalidParameterCombination", next(iter(parameters))):
        desk.describe("Filters", TrafficMirrorFilterIds=[desk.a], **parameters)


@pytest.mark.parametrize("size", [4, 0, -1, 1001])
def test_pages_have_5_to_1000_objects(desk, size):
    with refusal("InvalidParameterValue", "MaxResults"):
        desk.describe("Filters", MaxResults=size)


@pytest.fixture
def full():
    """A store with 23 filters, in order of creation."""
    desk = Desk()
    desk.all = [desk.filter(Description=f"number {index}") for index in range(23)]
    return desk


def pages(desk, **parameters):
    token, found = {}, []
    while True:
        result = desk.call("DescribeTrafficMirrorFilters", **parameters, **token)
        found.append([each["TrafficMirrorFilterId"] for each in result["TrafficMirrorFilters"]])
        if "NextToken" not in result:
            return found
        token = {"NextToken": result["NextToken"]}


def test_pages_put_together_are_everything(full):
    assert pages(full, MaxResults=5) == [full.all[start : start + 5] for start in range(0, 23, 5)]
    assert pages(full, MaxResults=23) == [full.all] == pages(full)
    ending = [{"Name": "description", "Values": ["*1*"]}]
    assert pages(full, MaxResults=5, Filters=ending) == [
        [full.all[index] for index in (1, 10, 11, 12, 13)],
        [full.all[index] for index in (14, 15, 16, 17, 18)],
        [full.all[index] for index in (19, 21)],
    ]


def test_pages_stay_right_while_objects_come_and_go(full):
    first = full.call("DescribeTrafficMirrorFilters", MaxResults=5)
    for identifier in (*full.all[3:5], full.all[7]):
        full.call("DeleteTrafficMirrorFilter", TrafficMirrorFilterId=identifier)
    new = full.filter()
    rest = full.call("DescribeTrafficMirrorFilters", MaxResults=1000, NextToken=first["NextToken"])
    assert [each["TrafficMirrorFilterId"] for each in rest["TrafficMirrorFilters"]] == [
        full.all[5],
        full.all[6],
        *full.all[8:],
        new,
    ]


def test_a_token_is_for_its_request_alone(full):
    token = full.call("DescribeTrafficMirrorFilters", MaxResults=5)["NextToken"]
    full.call("DescribeTrafficMirrorFilters", MaxResults=9, NextToken=token, DryRun=False)
    for parameters in ({"account": PARTNER}, {"Filters": [{"Name": "description", "Values": ["*"]}]}):
        with refusal("InvalidNextToken"):
            full.describe("Filters", NextToken=token, MaxResults=5, **parameters)
    with refusal("InvalidNextToken"):
        full.describe("Sessions", NextToken=token, MaxResults=5)
    text = base64.urlsafe_b64decode(token).decode()
    digest, position = text[:24], json.loads(text[24:])
    for bad in (
        "",
        "x",
        "ä",
        "====",
        token[:-4],
        token + "AAAA",
        "A" * 10000,
        *(
            base64.urlsafe_b64encode((digest + other).encode()).decode()
            for other in (json.dumps([position[0] + 1]), "[]", "null", "[" * 5000, str(1 << 70))
        ),
    ):
        with refusal("InvalidNextToken"):
            full.describe("Filters", NextToken=bad)


def test_pages_take_the_memory_of_a_page():
    """Peaks of Python's memory while 2,000 sessions are listed: some 600 bytes of document each, and what they cost."""
    desk = Desk()
    with desk.store.begin(write=True) as transaction:
        for index in range(2_000):
            identifier = f"tms-{index:017x}"
            transaction.insert(
                Record(
                    "session",
                    identifier,
                    OWNER,
                    {
                        "TrafficMirrorSessionId": identifier,
                        "TrafficMirrorTargetId": "tmt-1",
                        "OwnerId": OWNER,
                        "TrafficMirrorFilterId": "tmf-1",
                        "NetworkInterfaceId": f"eni-{index:017x}",
                        "SessionNumber": 1,
                        "VirtualNetworkId": index + 1,
                    },
                    parent=f"eni-{index:017x}",
                    slot="1",
                )
            )
    peaks = {}
    for size in (100, 1000):
        tracemalloc.start()
        token, seen = {}, 0
        while True:
            result = desk.call("DescribeTrafficMirrorSessions", MaxResults=size, **token)
            sessions = result["TrafficMirrorSessions"]
            assert [each["VirtualNetworkId"] for each in sessions] == list(range(seen + 1, seen + size + 1))
            seen += size
            if "NextToken" not in result:
                break
            token = {"NextToken": result["NextToken"]}
        peaks[size] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert seen == 2_000
    assert peaks[100] < 3_000_000 and peaks[1000] < 6_000_000, peaks
