"""Rules of traffic mirror filters: shapes, every value that is refused, numbers, changes field by field."""

from __future__ import annotations

import pytest

from tests.control.kits.mirror_kit import ANYWHERE, Desk, refusal

WEB_PORTS = {"FromPort": 80, "ToPort": 443}


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def filter_id(desk):
    return desk.filter()


def modify(desk, rule_id, **parameters):
    result = desk.call("ModifyTrafficMirrorFilterRule", TrafficMirrorFilterRuleId=rule_id, **parameters)
    assert set(result) == {"TrafficMirrorFilterRule"}
    return result["TrafficMirrorFilterRule"]


def test_a_rule_is_what_aws_prints(desk, filter_id):
    ec2 = desk.client("ec2")
    result = ec2.create_traffic_mirror_filter_rule(
        TrafficMirrorFilterId=filter_id,
        TrafficDirection="egress",
        RuleNumber=32766,
        RuleAction="reject",
        Protocol=17,
        SourcePortRange={"FromPort": 0, "ToPort": 65535},
        DestinationPortRange={"FromPort": 53, "ToPort": 53},
        SourceCidrBlock="2001:db8::/32",
        DestinationCidrBlock="::/0",
        Description="no DNS",
        ClientToken="t-1",
        TagSpecifications=[{"ResourceType": "traffic-mirror-filter-rule", "Tags": [{"Key": "a", "Value": ""}]}],
    )
    rule = result["TrafficMirrorFilterRule"]
    identifier = rule["TrafficMirrorFilterRuleId"]
    assert identifier.startswith("tmfr-") and len(identifier) == 5 + 17 and result["ClientToken"] == "t-1"
    assert rule == {
        "TrafficMirrorFilterRuleId": identifier,
        "TrafficMirrorFilterId": filter_id,
        "TrafficDirection": "egress",
        "RuleNumber": 32766,
        "RuleAction": "reject",
        "Protocol": 17,
        "SourcePortRange": {"FromPort": 0, "ToPort": 65535},
        "DestinationPortRange": {"FromPort": 53, "ToPort": 53},
        "SourceCidrBlock": "2001:db8::/32",
        "DestinationCidrBlock": "::/0",
        "Description": "no DNS",
        "Tags": [{"Key": "a", "Value": ""}],
    }
    assert ec2.describe_traffic_mirror_filter_rules()["TrafficMirrorFilterRules"] == [rule]
    assert ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"][0]["EgressFilterRules"] == [rule]
    changed = ec2.modify_traffic_mirror_filter_rule(TrafficMirrorFilterRuleId=identifier, RuleAction="accept")
    del rule["Tags"]
    assert changed["TrafficMirrorFilterRule"] == {**rule, "RuleAction": "accept"}


@pytest.mark.parametrize("parameters", [{}, {"Protocol": 0}, {"Protocol": -1}])
def test_a_rule_for_all_protocols_has_none(desk, filter_id, parameters):
    rule = desk.show("FilterRule", desk.rule(filter_id, **parameters))
    assert set(rule) == {
        "TrafficMirrorFilterRuleId",
        "TrafficMirrorFilterId",
        "TrafficDirection",
        "RuleNumber",
        "RuleAction",
        "SourceCidrBlock",
        "DestinationCidrBlock",
        "Tags",
    }


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"RuleNumber": 0}, "InvalidParameterValue", "RuleNumber must be a whole number from 1 to 32766"),
        ({"RuleNumber": 32767}, "InvalidParameterValue", "RuleNumber"),
        ({"RuleNumber": -1}, "InvalidParameterValue", "RuleNumber"),
        ({"RuleNumber": 1 << 70}, "InvalidParameterValue", "RuleNumber"),
        ({"TrafficDirection": "sideways"}, "InvalidParameterValue", "TrafficDirection"),
        ({"RuleAction": "drop"}, "InvalidParameterValue", "RuleAction"),
        ({"Protocol": 256}, "InvalidParameterValue", "Protocol"),
        ({"Protocol": -2}, "InvalidParameterValue", "Protocol"),
        ({"SourceCidrBlock": "10.0.0.1/8"}, "InvalidParameterValue", "SourceCidrBlock 10.0.0.1/8 has host bits set"),
        ({"SourceCidrBlock": "10.0.0.0/33"}, "InvalidParameterValue", "SourceCidrBlock"),
        ({"SourceCidrBlock": "everywhere"}, "InvalidParameterValue", "SourceCidrBlock"),
        ({"DestinationCidrBlock": "10.0.0.0"}, "InvalidParameterValue", "DestinationCidrBlock"),
        ({"DestinationCidrBlock": "::/0"}, "InvalidParameterValue", "both must be of one family"),
        ({"SourceCidrBlock": "::1/64", "DestinationCidrBlock": "::/0"}, "InvalidParameterValue", "host bits"),
        (
            {"Protocol": 6, "SourcePortRange": {"FromPort": 443, "ToPort": 80}},
            "InvalidParameterValue",
            "SourcePortRange is reversed",
        ),
        (
            {"Protocol": 6, "DestinationPortRange": {"FromPort": 0, "ToPort": 65536}},
            "InvalidParameterValue",
            "DestinationPortRange.ToPort",
        ),
        (
            {"Protocol": 17, "DestinationPortRange": {"FromPort": -1, "ToPort": 5}},
            "InvalidParameterValue",
            "DestinationPortRange.FromPort",
        ),
        (
            {"Protocol": 17, "DestinationPortRange": {"FromPort": 5}},
            "InvalidParameterValue",
            "DestinationPortRange.ToPort",
        ),
        ({"DestinationPortRange": WEB_PORTS}, "InvalidParameterCombination", "DestinationPortRange"),
        ({"Protocol": 0, "SourcePortRange": WEB_PORTS}, "InvalidParameterCombination", "SourcePortRange"),
        ({"Protocol": 1, "SourcePortRange": WEB_PORTS}, "InvalidParameterCombination", "6 (TCP) and 17 (UDP)"),
        ({"Description": "x" * 256}, "InvalidParameterValue", "Description"),
    ],
)
def test_values_that_cannot_be(desk, filter_id, parameters, code, message):
    with refusal(code, message):
        desk.rule(filter_id, **parameters)
    assert desk.describe("FilterRules") == []
    rule_id = desk.rule(filter_id, 7)
    before = desk.show("FilterRule", rule_id)
    with refusal(code, message):
        modify(desk, rule_id, **parameters)
    assert desk.show("FilterRule", rule_id) == before


@pytest.mark.parametrize("ports", [{"FromPort": 0, "ToPort": 0}, {"FromPort": 65535, "ToPort": 65535}])
def test_the_smallest_and_the_largest_port(desk, filter_id, ports):
    rule_id = desk.rule(filter_id, Protocol=6, SourcePortRange=ports)
    assert desk.show("FilterRule", rule_id)["SourcePortRange"] == ports


@pytest.mark.parametrize(
    "name",
    [
        "TrafficMirrorFilterId",
        "TrafficDirection",
        "RuleNumber",
        "RuleAction",
        "SourceCidrBlock",
        "DestinationCidrBlock",
    ],
)
def test_parameters_that_must_be_given(desk, filter_id, name):
    parameters = {
        "TrafficMirrorFilterId": filter_id,
        "TrafficDirection": "ingress",
        "RuleNumber": 1,
        "RuleAction": "accept",
        **ANYWHERE,
    }
    del parameters[name]
    with refusal("MissingParameter", name):
        desk.call("CreateTrafficMirrorFilterRule", **parameters)


def test_a_number_is_used_once_per_direction(desk, filter_id):
    first = desk.rule(filter_id, 100)
    with refusal("TrafficMirrorFilterRuleAlreadyExists", first):
        desk.rule(filter_id, 100)
    desk.rule(desk.filter(), 100)
    outbound = desk.rule(filter_id, 100, "egress")
    second = desk.rule(filter_id, 200)
    with refusal("TrafficMirrorFilterRuleAlreadyExists", first):
        modify(desk, second, RuleNumber=100)
    with refusal("TrafficMirrorFilterRuleAlreadyExists", first):
        modify(desk, outbound, TrafficDirection="ingress")
    assert modify(desk, first, RuleNumber=100)["RuleNumber"] == 100
    desk.call("DeleteTrafficMirrorFilterRule", TrafficMirrorFilterRuleId=first)
    assert modify(desk, outbound, TrafficDirection="ingress")["TrafficDirection"] == "ingress"


def test_a_filter_has_ten_rules_both_directions_together(desk, filter_id):
    for number in range(1, 6):
        desk.rule(filter_id, number)
        desk.rule(filter_id, number, "egress")
    with refusal("TrafficMirrorFilterRuleLimitExceeded", "(11)"):
        desk.rule(filter_id, 6)
    desk.rule(desk.filter(), 6)
    some = desk.describe("FilterRules", TrafficMirrorFilterId=filter_id)[0]
    desk.call("DeleteTrafficMirrorFilterRule", TrafficMirrorFilterRuleId=some["TrafficMirrorFilterRuleId"])
    desk.rule(filter_id, 6)


def test_the_quota_of_rules_can_be_set():
    desk = Desk(rules_per_filter=1)
    filter_id = desk.filter()
    desk.rule(filter_id)
    with refusal("TrafficMirrorFilterRuleLimitExceeded"):
        desk.rule(filter_id, 2, "egress")


def test_fields_that_are_removed_mean_any_again(desk, filter_id):
    rule_id = desk.rule(
        filter_id, Protocol=6, SourcePortRange=WEB_PORTS, DestinationPortRange=WEB_PORTS, Description="web"
    )
    rule = modify(desk, rule_id, RemoveFields=["source-port-range", "description"])
    assert not {"SourcePortRange", "Description"} & set(rule) and rule["DestinationPortRange"] == WEB_PORTS
    with refusal("InvalidParameterCombination", "DestinationPortRange"):
        modify(desk, rule_id, RemoveFields=["protocol"])
    rule = modify(desk, rule_id, RemoveFields=["protocol", "destination-port-range"])
    assert not {"Protocol", "DestinationPortRange"} & set(rule)
    assert modify(desk, rule_id, RemoveFields=["protocol"]) == rule
    described = desk.show("FilterRule", rule_id)
    assert described.pop("Tags") == [] and described == rule


def test_remove_fields_that_cannot_be(desk, filter_id):
    rule_id = desk.rule(filter_id, Protocol=6)
    with refusal("InvalidParameterValue", "RemoveFields"):
        modify(desk, rule_id, RemoveFields=["rule-number"])
    with refusal("InvalidParameterCombination", "protocol"):
        modify(desk, rule_id, RemoveFields=["protocol"], Protocol=17)


def test_a_range_and_its_protocol_are_set_together(desk, filter_id):
    rule_id = desk.rule(filter_id)
    rule = modify(desk, rule_id, Protocol=17, SourcePortRange=WEB_PORTS)
    assert (rule["Protocol"], rule["SourcePortRange"]) == (17, WEB_PORTS)
    with refusal("InvalidParameterCombination"):
        modify(desk, rule_id, Protocol=1)
    assert modify(desk, rule_id, Description="") == rule
    both = modify(desk, rule_id, SourceCidrBlock="::/0", DestinationCidrBlock="2001:db8::/32", Description="v6")
    assert (both["SourceCidrBlock"], both["DestinationCidrBlock"], both["Description"]) == (
        "::/0",
        "2001:db8::/32",
        "v6",
    )
    assert "Description" not in modify(desk, rule_id, Description="")


@pytest.mark.parametrize("operation", ["ModifyTrafficMirrorFilterRule", "DeleteTrafficMirrorFilterRule"])
def test_a_rule_that_is_not_there(desk, filter_id, operation):
    with refusal("InvalidTrafficMirrorFilterRuleId.NotFound", "tmfr-1"):
        desk.call(operation, TrafficMirrorFilterRuleId="tmfr-1")
    with refusal("MissingParameter", "TrafficMirrorFilterRuleId"):
        desk.call(operation)
    rule_id = desk.rule(filter_id)
    with refusal("InvalidTrafficMirrorFilterRuleId.NotFound", rule_id):
        desk.call(operation, TrafficMirrorFilterRuleId=rule_id, account="999999999999")


def test_rules_of_one_filter(desk, filter_id):
    other = desk.filter()
    wanted, stray = desk.rule(filter_id), desk.rule(other)
    found = desk.describe("FilterRules", TrafficMirrorFilterId=filter_id)
    assert [each["TrafficMirrorFilterRuleId"] for each in found] == [wanted]
    assert desk.describe("FilterRules", TrafficMirrorFilterId=filter_id, TrafficMirrorFilterRuleIds=[stray]) == []
    with refusal("InvalidTrafficMirrorFilterId.NotFound", "tmf-1"):
        desk.describe("FilterRules", TrafficMirrorFilterId="tmf-1")
    with refusal("InvalidTrafficMirrorFilterRuleId.NotFound", "tmfr-1"):
        desk.describe("FilterRules", TrafficMirrorFilterRuleIds=["tmfr-1"])
