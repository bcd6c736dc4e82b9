"""Traffic mirror filters: shapes, network services, quotas, in-use and ownership."""

from __future__ import annotations

import pytest

from halfsilver.harness.control.operations.errors import ApiError
from tests.control.kits.inventory_kit import OWNER, PARTNER
from tests.control.kits.mirror_kit import Desk, refusal


@pytest.fixture
def desk():
    return Desk()


def test_a_filter_is_what_aws_prints(desk):
    ec2 = desk.client("ec2")
    result = ec2.create_traffic_mirror_filter(
        Description="web",
        ClientToken="t-1",
        TagSpecifications=[{"ResourceType": "traffic-mirror-filter", "Tags": [{"Key": "Name", "Value": "f"}]}],
    )
    del result["ResponseMetadata"]
    identifier = result["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    assert identifier.startswith("tmf-") and len(identifier) == 4 + 17
    assert result == {
        "ClientToken": "t-1",
        "TrafficMirrorFilter": {
            "TrafficMirrorFilterId": identifier,
            "Description": "web",
            "IngressFilterRules": [],
            "EgressFilterRules": [],
            "NetworkServices": [],
            "Tags": [{"Key": "Name", "Value": "f"}],
        },
    }
    described = ec2.describe_traffic_mirror_filters(TrafficMirrorFilterIds=[identifier])
    assert described["TrafficMirrorFilters"] == [result["TrafficMirrorFilter"]] and "NextToken" not in described


def test_a_filter_without_description_has_no_such_member(desk):
    for parameters in ({}, {"Description": ""}):
        assert "Description" not in desk.call("CreateTrafficMirrorFilter", **parameters)["TrafficMirrorFilter"]


def test_rules_stand_in_their_direction_in_ascending_number(desk):
    filter_id, other = desk.filter(), desk.filter()
    wanted = {
        ("ingress", 30): desk.rule(filter_id, 30),
        ("ingress", 4): desk.rule(filter_id, 4),
        ("egress", 30): desk.rule(filter_id, 30, "egress"),
    }
    desk.rule(other, 1)
    found = desk.show("Filter", filter_id)
    assert [each["TrafficMirrorFilterRuleId"] for each in found["IngressFilterRules"]] == [
        wanted["ingress", 4],
        wanted["ingress", 30],
    ]
    assert [each["TrafficMirrorFilterRuleId"] for each in found["EgressFilterRules"]] == [wanted["egress", 30]]


def test_network_services(desk):
    filter_id = desk.filter()

    def modify(**parameters):
        result = desk.call("ModifyTrafficMirrorFilterNetworkServices", TrafficMirrorFilterId=filter_id, **parameters)
        assert set(result) == {"TrafficMirrorFilter"}
        return result["TrafficMirrorFilter"]["NetworkServices"]

    assert modify(AddNetworkServices=["amazon-dns"]) == ["amazon-dns"]
    assert modify(AddNetworkServices=["amazon-dns"]) == ["amazon-dns"]
    assert desk.show("Filter", filter_id)["NetworkServices"] == ["amazon-dns"]
    assert modify() == ["amazon-dns"]
    assert modify(RemoveNetworkServices=["amazon-dns"]) == []
    assert modify(RemoveNetworkServices=["amazon-dns"]) == []
    with refusal("InvalidParameterValue", "amazon-dns"):
        modify(AddNetworkServices=["ntp"])
    with refusal("InvalidParameterCombination"):
        modify(AddNetworkServices=["amazon-dns"], RemoveNetworkServices=["amazon-dns"])
    assert desk.show("Filter", filter_id)["NetworkServices"] == []


def test_deleting_a_filter_deletes_its_rules(desk):
    filter_id, kept = desk.filter(), desk.filter()
    gone, stays = desk.rule(filter_id), desk.rule(kept)
    assert desk.call("DeleteTrafficMirrorFilter", TrafficMirrorFilterId=filter_id) == {
        "TrafficMirrorFilterId": filter_id
    }
    assert [each["TrafficMirrorFilterRuleId"] for each in desk.describe("FilterRules")] == [stays]
    with refusal("InvalidTrafficMirrorFilterRuleId.NotFound", gone):
        desk.call("DeleteTrafficMirrorFilterRule", TrafficMirrorFilterRuleId=gone)


def test_a_filter_in_use_stays(desk):
    filter_id = desk.filter()
    session_id = desk.session(filter_id, desk.target())
    with refusal("TrafficMirrorFilterInUse", f"Cannot delete {filter_id}. Filter is in use by {session_id}"):
        desk.call("DeleteTrafficMirrorFilter", TrafficMirrorFilterId=filter_id)
    desk.call("DeleteTrafficMirrorSession", TrafficMirrorSessionId=session_id)
    desk.call("DeleteTrafficMirrorFilter", TrafficMirrorFilterId=filter_id)
    assert desk.describe("Filters") == []


def test_the_quota_of_filters_is_one_accounts():
    desk = Desk(filters=2)
    desk.filter()
    last = desk.filter()
    with refusal("TrafficMirrorFilterLimitExceeded", "(3)"):
        desk.filter()
    desk.filter(account=PARTNER)
    desk.call("DeleteTrafficMirrorFilter", TrafficMirrorFilterId=last)
    desk.filter()
    assert len(desk.describe("Filters")) == 2


@pytest.mark.parametrize("operation", ["DeleteTrafficMirrorFilter", "ModifyTrafficMirrorFilterNetworkServices"])
@pytest.mark.parametrize("identifier", ["tmf-00000000000000001", "nonsense", "tmf-\x00", "tmf-\ud800", "x" * 5000])
def test_a_filter_that_is_not_there(desk, operation, identifier):
    with refusal("InvalidTrafficMirrorFilterId.NotFound"):
        desk.call(operation, TrafficMirrorFilterId=identifier)
    with refusal("InvalidTrafficMirrorFilterId.NotFound"):
        desk.describe("Filters", TrafficMirrorFilterIds=[identifier])


def test_a_filter_of_another_account_is_not_there(desk):
    filter_id = desk.filter(account=PARTNER)
    assert desk.describe("Filters") == []
    for operation in ("DeleteTrafficMirrorFilter", "ModifyTrafficMirrorFilterNetworkServices"):
        with refusal("InvalidTrafficMirrorFilterId.NotFound", filter_id):
            desk.call(operation, TrafficMirrorFilterId=filter_id)
    with refusal("InvalidTrafficMirrorFilterId.NotFound", filter_id):
        desk.rule(filter_id)
    with refusal("InvalidTrafficMirrorFilterId.NotFound", filter_id):
        desk.session(filter_id, desk.target())
    assert [each["TrafficMirrorFilterId"] for each in desk.describe("Filters", account=PARTNER)] == [filter_id]


def test_an_error_repeats_only_the_beginning_of_an_id(desk):
    long, filter_id, target_id = "x" * 5000, desk.filter(), desk.target()
    for operation, parameters in (
        ("DeleteTrafficMirrorFilter", {"TrafficMirrorFilterId": long}),
        ("DescribeTrafficMirrorFilters", {"TrafficMirrorFilterIds": [long] * 1000}),
        ("DescribeTrafficMirrorFilters", {"Filters": [{"Name": long, "Values": [long]}]}),
        (
            "CreateTrafficMirrorSession",
            {
                "NetworkInterfaceId": long,
                "TrafficMirrorFilterId": filter_id,
                "TrafficMirrorTargetId": target_id,
                "SessionNumber": 1,
            },
        ),
        ("CreateTrafficMirrorTarget", {"NetworkInterfaceId": long}),
        ("CreateTrafficMirrorTarget", {"NetworkLoadBalancerArn": long}),
        ("CreateTrafficMirrorTarget", {"GatewayLoadBalancerEndpointId": long}),
        ("CreateTags", {"Resources": [long], "Tags": [{"Key": "k"}]}),
        ("CreateTags", {"Resources": ["tmf-" + long], "Tags": [{"Key": "k"}]}),
        ("CreateTags", {"Resources": [filter_id], "Tags": [{"Key": long}]}),
        ("CreateTags", {"Resources": [filter_id], "Tags": [{"Key": "halfsilver:" + "x" * 116}]}),
        ("CreateTrafficMirrorFilter", {"TagSpecifications": [{"ResourceType": long, "Tags": [{"Key": "k"}]}]}),
        ("CreateTrafficMirrorFilter", {"ClientToken": long}),
    ):
        with pytest.raises(ApiError) as info:
            desk.call(operation, **parameters)
        assert len(info.value.message) < 400, operation


@pytest.mark.parametrize("operation", ["DeleteTrafficMirrorFilter", "ModifyTrafficMirrorFilterNetworkServices"])
def test_a_filters_id_must_be_given(desk, operation):
    with refusal("MissingParameter", "TrafficMirrorFilterId"):
        desk.call(operation)


@pytest.mark.parametrize("text", ["x" * 256, "bell\x07", "half \ud83d of a character"])
def test_descriptions_that_cannot_be(desk, text):
    with refusal("InvalidParameterValue", "Description"):
        desk.filter(Description=text)
    assert desk.describe("Filters", account=OWNER) == []
    assert desk.show("Filter", desk.filter(Description="ä" * 255))["Description"] == "ä" * 255
