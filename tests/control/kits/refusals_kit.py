"""Everything that the documentation says is refused, and a world in which it is. What is refused changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.control.kits.inventory_kit import (
    APPLICATION,
    COLLECTOR,
    DATABASE,
    ENDPOINT_ENI,
    SECOND_COLLECTOR,
    SECURITY,
    SECURITY_COLLECTOR,
    SENSORS,
    WEB,
    WEBSHOP,
)
from tests.control.kits.serve_kit import ANYWHERE, make_filter, make_session, make_target
from tests.control.kits.server_kit import Cloud, ids

RULE = {
    "TrafficMirrorFilterId": "{filter}",
    "TrafficDirection": "ingress",
    "RuleNumber": 10,
    "RuleAction": "accept",
    **ANYWHERE,
}
SESSION = {
    "NetworkInterfaceId": DATABASE,
    "TrafficMirrorTargetId": "{target}",
    "TrafficMirrorFilterId": "{filter}",
    "SessionNumber": 1,
}
TAG = {"Key": "a", "Value": "b"}
NO_FILTER, NO_RULE = "InvalidTrafficMirrorFilterId.NotFound", "InvalidTrafficMirrorFilterRuleId.NotFound"
NO_SESSION, NO_TARGET = "InvalidTrafficMirrorSessionId.NotFound", "InvalidTrafficMirrorTargetId.NotFound"
NO_ENI = "InvalidNetworkInterfaceId.Malformed"
WRONG, MIXED, MISSING = "InvalidParameterValue", "InvalidParameterCombination", "MissingParameter"

REFUSALS: list[tuple[str, str, dict[str, Any], str]] = [  # code, method of boto3, parameters, words of the message
    # Objects that are not there, or not the caller's.
    (NO_FILTER, "describe_traffic_mirror_filters", {"TrafficMirrorFilterIds": ["tmf-0"]}, "'tmf-0' does not exist"),
    (NO_FILTER, "describe_traffic_mirror_filters", {"TrafficMirrorFilterIds": ["{foreign_filter}"]}, "does not exist"),
    (NO_FILTER, "describe_traffic_mirror_filter_rules", {"TrafficMirrorFilterId": "tmf-0"}, "'tmf-0' does not exist"),
    (NO_FILTER, "delete_traffic_mirror_filter", {"TrafficMirrorFilterId": "tmf-0"}, "'tmf-0' does not exist"),
    (NO_FILTER, "delete_traffic_mirror_filter", {"TrafficMirrorFilterId": "{foreign_filter}"}, "does not exist"),
    (NO_FILTER, "modify_traffic_mirror_filter_network_services", {"TrafficMirrorFilterId": "tmf-0"}, "'tmf-0'"),
    (NO_FILTER, "create_traffic_mirror_filter_rule", {**RULE, "TrafficMirrorFilterId": "{foreign_filter}"}, ""),
    (NO_FILTER, "create_traffic_mirror_session", {**SESSION, "TrafficMirrorFilterId": "tmf-0"}, "'tmf-0'"),
    (
        NO_FILTER,
        "modify_traffic_mirror_session",
        {"TrafficMirrorSessionId": "{session}", "TrafficMirrorFilterId": "{foreign_filter}"},
        "does not exist",
    ),
    (NO_RULE, "describe_traffic_mirror_filter_rules", {"TrafficMirrorFilterRuleIds": ["tmfr-0"]}, "'tmfr-0' does not"),
    (NO_RULE, "modify_traffic_mirror_filter_rule", {"TrafficMirrorFilterRuleId": "tmfr-0"}, "'tmfr-0' does not exist"),
    (NO_RULE, "delete_traffic_mirror_filter_rule", {"TrafficMirrorFilterRuleId": "tmfr-0"}, "'tmfr-0' does not exist"),
    (NO_SESSION, "describe_traffic_mirror_sessions", {"TrafficMirrorSessionIds": ["{session}", "tms-0"]}, "'tms-0'"),
    (NO_SESSION, "modify_traffic_mirror_session", {"TrafficMirrorSessionId": "tms-0"}, "'tms-0' does not exist"),
    (NO_SESSION, "delete_traffic_mirror_session", {"TrafficMirrorSessionId": "tms-0"}, "'tms-0' does not exist"),
    (NO_SESSION, "create_tags", {"Resources": ["{session}", "tms-0"], "Tags": [TAG]}, "'tms-0' does not exist"),
    (NO_TARGET, "describe_traffic_mirror_targets", {"TrafficMirrorTargetIds": ["tmt-0"]}, "'tmt-0' does not exist"),
    (NO_TARGET, "delete_traffic_mirror_target", {"TrafficMirrorTargetId": "{foreign_target}"}, "does not exist"),
    (NO_TARGET, "create_traffic_mirror_session", {**SESSION, "TrafficMirrorTargetId": "{foreign_target}"}, "does not"),
    (
        NO_TARGET,
        "modify_traffic_mirror_session",
        {"TrafficMirrorSessionId": "{session}", "TrafficMirrorTargetId": "{foreign_target}"},
        "does not exist",
    ),
    (
        "InvalidTrafficMirrorTarget",
        "create_traffic_mirror_target",
        {"NetworkInterfaceId": "eni-0"},
        "The interface ID 'eni-0' does not exist",
    ),
    ("InvalidTrafficMirrorTarget", "create_traffic_mirror_target", {"NetworkInterfaceId": SECURITY_COLLECTOR}, ""),
    (
        "NetworkLoadBalancerNotFoundException",
        "create_traffic_mirror_target",
        {"NetworkLoadBalancerArn": f"{SENSORS}0"},
        "does not exist",
    ),
    ("InvalidVpcEndpointId.NotFound", "create_traffic_mirror_target", {"GatewayLoadBalancerEndpointId": "vpce-0"}, ""),
    (
        "InvalidNetworkInterfaceID.NotFound",
        "create_traffic_mirror_session",
        {**SESSION, "NetworkInterfaceId": "eni-0"},
        "'eni-0' does not exist",
    ),
    (
        "InvalidNetworkInterfaceID.NotFound",
        "create_traffic_mirror_session",
        {**SESSION, "NetworkInterfaceId": APPLICATION},
        "does not exist",
    ),
    ("InvalidNetworkInterfaceID.NotFound", "describe_network_interfaces", {"NetworkInterfaceIds": [APPLICATION]}, ""),
    ("InvalidID", "create_tags", {"Resources": ["vol-1"], "Tags": [TAG]}, "'vol-1' is not valid"),
    # What can be no id.
    ("InvalidID", "create_tags", {"Resources": ["banana"], "Tags": [TAG]}, "'banana' is not valid"),
    ("InvalidID", "delete_tags", {"Resources": ["eni-zzz"]}, "'eni-zzz' is not valid"),
    (NO_ENI, "create_traffic_mirror_session", {**SESSION, "NetworkInterfaceId": "banana"}, '"banana" (expecting "eni-'),
    (NO_ENI, "create_traffic_mirror_target", {"NetworkInterfaceId": "eni-zzz"}, '"eni-zzz" (expecting "eni-'),
    (
        "InvalidVpcEndpointId.Malformed",
        "create_traffic_mirror_target",
        {"GatewayLoadBalancerEndpointId": "banana"},
        '"banana" (expecting "vpce-...")',
    ),
    (
        "InvalidNetworkLoadBalancerArn.Malformed",
        "create_traffic_mirror_target",
        {"NetworkLoadBalancerArn": "arn:aws:ec2:us-east-1:111122223333:instance/i-1"},
        "is not a valid load balancer ARN",
    ),
    (NO_FILTER, "delete_traffic_mirror_filter", {"TrafficMirrorFilterId": "banana"}, "'banana' does not exist"),
    (NO_SESSION, "describe_traffic_mirror_sessions", {"TrafficMirrorSessionIds": ["banana"]}, "'banana' does not"),
    # Objects that something else uses or forbids.
    (
        "TrafficMirrorFilterInUse",
        "delete_traffic_mirror_filter",
        {"TrafficMirrorFilterId": "{filter}"},
        "Cannot delete {filter}. Filter is in use by {session}",
    ),
    (
        "TrafficMirrorTargetInUse",
        "delete_traffic_mirror_target",
        {"TrafficMirrorTargetId": "{target}"},
        "Cannot delete {target}. Target is in use by {session}",
    ),
    ("NlbInUseByTrafficMirrorTargetException", "create_traffic_mirror_target", {"NetworkLoadBalancerArn": SENSORS}, ""),
    ("TrafficMirrorFilterRuleAlreadyExists", "create_traffic_mirror_filter_rule", {**RULE, "RuleNumber": 1}, ""),
    (
        "TrafficMirrorFilterRuleAlreadyExists",
        "modify_traffic_mirror_filter_rule",
        {"TrafficMirrorFilterRuleId": "{rule}", "RuleNumber": 2},
        "already being used",
    ),
    (
        WRONG,
        "create_traffic_mirror_session",
        {**SESSION, "NetworkInterfaceId": COLLECTOR},
        f"{COLLECTOR} is in use by target {{target}}",
    ),
    (WRONG, "create_traffic_mirror_target", {"NetworkInterfaceId": WEB}, "is in use by session {session}"),
    (
        WRONG,
        "modify_traffic_mirror_session",
        {"TrafficMirrorSessionId": "{session}", "SessionNumber": 2},
        "Session number 2 is already being used by",
    ),
    (
        "NetworkInterfaceNotSupported",
        "create_traffic_mirror_session",
        {**SESSION, "NetworkInterfaceId": ENDPOINT_ENI},
        "must be of type interface",
    ),
    ("NetworkInterfaceNotSupported", "create_traffic_mirror_target", {"NetworkInterfaceId": ENDPOINT_ENI}, ""),
    # Too many.
    (
        "TrafficMirrorFilterRuleLimitExceeded",
        "create_traffic_mirror_filter_rule",
        {**RULE, "TrafficMirrorFilterId": "{full_filter}", "RuleNumber": 11},
        "limit reached (11)",
    ),
    (
        "TrafficMirrorSessionsPerInterfaceLimitExceeded",
        "create_traffic_mirror_session",
        {**SESSION, "NetworkInterfaceId": WEB, "SessionNumber": 4},
        "limit reached (4)",
    ),
    (
        "TagLimitExceeded",
        "create_tags",
        {"Resources": ["{filter}"], "Tags": [{"Key": f"{number}", "Value": ""} for number in range(51)]},
        "(50)",
    ),
    (
        "FilterLimitExceeded",
        "describe_traffic_mirror_filters",
        {"Filters": [{"Name": "description", "Values": [f"{number}" for number in range(201)]}]},
        "200",
    ),
    # Values that cannot be.
    *(
        (WRONG, "create_traffic_mirror_filter_rule", {**RULE, **wrong}, next(iter(wrong)))
        for wrong in (
            {"RuleNumber": 0},
            {"RuleNumber": 32767},
            {"RuleNumber": 1 << 31},
            {"RuleNumber": 10**400},
            {"Protocol": 256},
            {"SourceCidrBlock": "10.0.0.1/8"},
            {"SourceCidrBlock": "10.0.0.0"},
            {"SourceCidrBlock": "10.0.0.0/08"},
            {"DestinationCidrBlock": "::/0"},
            {"DestinationCidrBlock": "2001:db8::/129"},
            {"RuleAction": "drop"},
            {"TrafficDirection": "Ingress"},
            {"Description": "x" * 256},
            {"DestinationPortRange": {"FromPort": 81, "ToPort": 80}, "Protocol": 6},
            {"SourcePortRange": {"FromPort": 0, "ToPort": 65536}, "Protocol": 17},
        )
    ),
    *(
        (WRONG, "create_traffic_mirror_session", {**SESSION, **wrong}, next(iter(wrong)))
        for wrong in (
            {"SessionNumber": 0},
            {"SessionNumber": 32767},
            {"SessionNumber": -1},
            {"VirtualNetworkId": 0},
            {"VirtualNetworkId": 1 << 24},
            {"PacketLength": 0},
            {"PacketLength": 9002},
            {"PacketLength": 8501, "TrafficMirrorTargetId": "{balancer}"},
            {"ClientToken": ""},
            {"ClientToken": "x" * 65},
        )
    ),
    (WRONG, "create_traffic_mirror_filter", {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [TAG]}]}, "'vpc'"),
    (WRONG, "create_tags", {"Resources": ["{filter}"], "Tags": [{"Key": "aws:a", "Value": ""}]}, "reserved"),
    (WRONG, "create_tags", {"Resources": ["{filter}"], "Tags": [{"Key": "k" * 128, "Value": ""}]}, "127"),
    (WRONG, "create_tags", {"Resources": ["{filter}"], "Tags": [{"Key": "k", "Value": "v" * 257}]}, "256"),
    ("InvalidTagKey.Malformed", "create_tags", {"Resources": ["{filter}"], "Tags": [{"Key": "", "Value": "x"}]}, ""),
    (WRONG, "describe_traffic_mirror_targets", {"MaxResults": 4}, "greater than or equal to 5"),
    (WRONG, "describe_traffic_mirror_targets", {"MaxResults": 1001}, "smaller than or equal to 1000"),
    (WRONG, "describe_traffic_mirror_targets", {"Filters": [{"Name": "vpc-id", "Values": ["x"]}]}, "'vpc-id'"),
    ("InvalidNextToken", "describe_traffic_mirror_targets", {"NextToken": "AAAA"}, ""),
    ("InvalidCharacter", "create_traffic_mirror_filter", {"Description": "\x00"}, "Description"),
    # Values that do not go together, or are missing.
    (
        MIXED,
        "create_traffic_mirror_target",
        {"NetworkInterfaceId": SECOND_COLLECTOR, "NetworkLoadBalancerArn": WEBSHOP},
        "cannot be used together",
    ),
    (MIXED, "create_traffic_mirror_filter_rule", {**RULE, "SourcePortRange": {"FromPort": 1, "ToPort": 2}}, "6 (TCP)"),
    (
        MIXED,
        "modify_traffic_mirror_filter_rule",
        {"TrafficMirrorFilterRuleId": "{rule}", "RemoveFields": ["protocol"]},
        "6 (TCP)",
    ),
    (
        MIXED,
        "modify_traffic_mirror_session",
        {"TrafficMirrorSessionId": "{session}", "RemoveFields": ["description"], "Description": "x"},
        "description",
    ),
    (
        MIXED,
        "modify_traffic_mirror_filter_network_services",
        {
            "TrafficMirrorFilterId": "{filter}",
            "AddNetworkServices": ["amazon-dns"],
            "RemoveNetworkServices": ["amazon-dns"],
        },
        "amazon-dns",
    ),
    (MIXED, "describe_traffic_mirror_sessions", {"TrafficMirrorSessionIds": ["{session}"], "MaxResults": 5}, "Max"),
    *(
        (MISSING, "create_traffic_mirror_filter_rule", {name: RULE[name] for name in RULE if name != missing}, missing)
        for missing in RULE
    ),
    *(
        (
            MISSING,
            "create_traffic_mirror_session",
            {name: SESSION[name] for name in SESSION if name != missing},
            missing,
        )
        for missing in SESSION
    ),
    (MISSING, "create_traffic_mirror_target", {}, "NetworkInterfaceId"),
    (MISSING, "create_tags", {"Resources": ["{filter}"]}, "Tag"),
    (MISSING, "describe_traffic_mirror_filters", {"Filters": [{"Name": "description"}]}, "'description'"),
    ("InvalidAction", "run_instances", {"MinCount": 1, "MaxCount": 1}, "RunInstances is not valid"),
]

REFUSAL_IDS = [f"{operation}-{code}-{at}" for at, (code, operation, _, _) in enumerate(REFUSALS)]


class World:
    """Objects to be refused things about: ``names`` are their ids."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.client = cloud.new_client(parameter_validation=False)
        ec2, other = cloud.client(), cloud.client(account=SECURITY)
        self.names = {
            "filter": make_filter(ec2, 80, 443),
            "full_filter": make_filter(ec2, *range(10)),
            "target": make_target(ec2),
            "foreign_filter": make_filter(other),
            "foreign_target": make_target(other, SECURITY_COLLECTOR),
        }
        balancer = ec2.create_traffic_mirror_target(NetworkLoadBalancerArn=SENSORS)["TrafficMirrorTarget"]
        self.names["balancer"] = balancer["TrafficMirrorTargetId"]
        sessions = [
            make_session(ec2, self.names["filter"], self.names["target"], number=number) for number in (1, 2, 3)
        ]
        rules = ec2.describe_traffic_mirror_filter_rules(TrafficMirrorFilterId=self.names["filter"])
        self.names |= {"session": sessions[0], "rule": ids(rules["TrafficMirrorFilterRules"])[0]}
        self.before = cloud.everything()

    def fill(self, value: Any) -> Any:
        """The value with the ids of this world in it."""
        if isinstance(value, str):
            return value.format_map(self.names)
        if isinstance(value, Mapping):
            return {name: self.fill(each) for name, each in value.items()}
        return [self.fill(each) for each in value] if isinstance(value, list) else value
