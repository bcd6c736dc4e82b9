"""Traffic mirror targets: destinations, what cannot be one, in-use, quotas, other accounts."""

from __future__ import annotations

import re

import pytest

from tests.control.kits.inventory_kit import (
    APPLICATION,
    COLLECTOR,
    ENDPOINT,
    ENDPOINT_ENI,
    OWNER,
    PARTNER,
    SECURITY,
    SENSORS,
    WEB,
    WEBSHOP,
    example,
    without,
)
from tests.control.kits.mirror_kit import Desk, refusal


@pytest.fixture
def desk():
    return Desk()


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("NetworkInterfaceId", COLLECTOR, "network-interface"),
        ("NetworkLoadBalancerArn", SENSORS, "network-load-balancer"),
        ("GatewayLoadBalancerEndpointId", ENDPOINT, "gateway-load-balancer-endpoint"),
    ],
)
def test_a_target_is_what_aws_prints(desk, name, value, kind):
    ec2 = desk.client("ec2")
    result = ec2.create_traffic_mirror_target(
        **{name: value},
        Description="sensors",
        ClientToken="t-1",
        TagSpecifications=[{"ResourceType": "traffic-mirror-target", "Tags": [{"Key": "a", "Value": "b"}]}],
    )
    target = result["TrafficMirrorTarget"]
    identifier = target["TrafficMirrorTargetId"]
    assert identifier.startswith("tmt-") and result["ClientToken"] == "t-1"
    assert target == {
        "TrafficMirrorTargetId": identifier,
        name: value,
        "Type": kind,
        "Description": "sensors",
        "OwnerId": OWNER,
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"] == [target]
    assert desk.call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=identifier) == {
        "TrafficMirrorTargetId": identifier
    }
    assert desk.describe("Targets") == []


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({}, "MissingParameter", "NetworkInterfaceId, NetworkLoadBalancerArn, GatewayLoadBalancerEndpointId"),
        (
            {"NetworkInterfaceId": COLLECTOR, "NetworkLoadBalancerArn": SENSORS},
            "InvalidParameterCombination",
            "one destination",
        ),
        ({"NetworkInterfaceId": "eni-1"}, "InvalidTrafficMirrorTarget", "The interface ID 'eni-1' does not exist"),
        ({"NetworkInterfaceId": APPLICATION}, "InvalidTrafficMirrorTarget", APPLICATION),
        ({"NetworkInterfaceId": ENDPOINT_ENI}, "NetworkInterfaceNotSupported", ENDPOINT_ENI),
        ({"NetworkLoadBalancerArn": SENSORS + "0"}, "NetworkLoadBalancerNotFoundException", SENSORS + "0"),
        ({"GatewayLoadBalancerEndpointId": "vpce-1"}, "InvalidVpcEndpointId.NotFound", "vpce-1"),
    ],
)
def test_destinations_that_cannot_be(desk, parameters, code, message):
    with refusal(code, message):
        desk.call("CreateTrafficMirrorTarget", **parameters)
    assert desk.describe("Targets") == []


def test_load_balancers_and_endpoints_of_other_kinds():
    documents = example()
    gateway = SENSORS.replace("/net/", "/gwy/")
    documents["LoadBalancers"].append({"LoadBalancerArn": gateway, "LoadBalancerName": "g", "Type": "gateway"})
    documents["VpcEndpoints"].append(
        {"VpcEndpointId": "vpce-0a1b2c3d4e5f60002", "VpcEndpointType": "Interface", "OwnerId": OWNER}
    )
    desk = Desk(documents)
    with refusal("InvalidParameterValue", "network"):
        desk.target(NetworkLoadBalancerArn=gateway)
    with refusal("InvalidParameterValue", "GatewayLoadBalancer"):
        desk.target(GatewayLoadBalancerEndpointId="vpce-0a1b2c3d4e5f60002")


def test_resources_of_other_accounts_are_not_there(desk):
    with refusal("NetworkLoadBalancerNotFoundException"):
        desk.target(NetworkLoadBalancerArn=SENSORS, account=SECURITY)
    with refusal("InvalidVpcEndpointId.NotFound"):
        desk.target(GatewayLoadBalancerEndpointId=ENDPOINT, account=PARTNER)


def test_a_load_balancer_is_one_target_only(desk):
    first = desk.target(NetworkLoadBalancerArn=SENSORS)
    with refusal("NlbInUseByTrafficMirrorTargetException", first):
        desk.target(NetworkLoadBalancerArn=SENSORS)
    desk.target(NetworkLoadBalancerArn=WEBSHOP)
    desk.call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=first)
    desk.target(NetworkLoadBalancerArn=SENSORS)


def test_interfaces_and_endpoints_can_be_several_targets(desk):
    assert desk.target() != desk.target()
    assert desk.target(GatewayLoadBalancerEndpointId=ENDPOINT) != desk.target(GatewayLoadBalancerEndpointId=ENDPOINT)


def test_a_source_cannot_be_a_target(desk):
    session_id = desk.session(desk.filter(), desk.target())
    with refusal("InvalidParameterValue", f"{WEB} is in use by session {session_id}"):
        desk.target(WEB)
    desk.call("DeleteTrafficMirrorSession", TrafficMirrorSessionId=session_id)
    desk.target(WEB)


def test_a_target_in_use_stays(desk):
    target_id = desk.target()
    session_id = desk.session(desk.filter(), target_id)
    with refusal("TrafficMirrorTargetInUse", f"Cannot delete {target_id}. Target is in use by {session_id}"):
        desk.call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=target_id)
    desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=session_id, TrafficMirrorTargetId=desk.target())
    desk.call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=target_id)


def test_the_quota_of_targets():
    desk = Desk(targets=1)
    desk.target()
    with refusal("TrafficMirrorTargetLimitExceeded", "(2)"):
        desk.target()


def test_a_target_that_is_not_there(desk):
    with refusal("InvalidTrafficMirrorTargetId.NotFound", "tmt-1"):
        desk.call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId="tmt-1")
    with refusal("InvalidTrafficMirrorTargetId.NotFound", "tmt-1"):
        desk.describe("Targets", TrafficMirrorTargetIds=["tmt-1"])
    with refusal("MissingParameter", "TrafficMirrorTargetId"):
        desk.call("DeleteTrafficMirrorTarget")
    target_id = desk.target()
    with refusal("InvalidTrafficMirrorTargetId.NotFound", target_id):
        desk.call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=target_id, account=PARTNER)
    assert desk.describe("Targets", account=PARTNER) == []


def share(desk, target_id, principal):
    """Share a target with another account of the organisation, which need not accept."""
    desk.client("ram").create_resource_share(
        name="sensors",
        principals=[principal],
        resourceArns=[f"arn:aws:ec2:us-east-1:{OWNER}:traffic-mirror-target/{target_id}"],
    )


def test_a_shared_target_is_seen_and_used_but_not_changed(desk):
    target_id = desk.target(
        TagSpecifications=[{"ResourceType": "traffic-mirror-target", "Tags": [{"Key": "secret", "Value": "s"}]}]
    )
    with refusal("InvalidTrafficMirrorTargetId.NotFound"):
        desk.session(desk.filter(account=SECURITY), target_id, eni_id="eni-0a1b2c3d4e5f60050", account=SECURITY)
    share(desk, target_id, SECURITY)
    seen = desk.describe("Targets", account=SECURITY)
    assert [(each["TrafficMirrorTargetId"], each["OwnerId"], each["Tags"]) for each in seen] == [(target_id, OWNER, [])]
    with refusal("UnauthorizedOperation", "another account", status=403):
        desk.call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=target_id, account=SECURITY)
    session_id = desk.session(
        desk.filter(account=SECURITY), target_id, eni_id="eni-0a1b2c3d4e5f60050", account=SECURITY
    )
    assert desk.show("Session", session_id)["OwnerId"] == SECURITY
    for operation in ("DeleteTrafficMirrorSession", "ModifyTrafficMirrorSession"):
        with refusal("UnauthorizedOperation", status=403):
            desk.call(operation, TrafficMirrorSessionId=session_id)


def test_ids_are_a_zero_and_sixteen_digits(desk):
    made = [desk.target() for _ in range(4)] + [desk.filter() for _ in range(4)]
    assert all(re.fullmatch("tm[ft]-0[0-9a-f]{16}", each) for each in made) and len(set(made)) == 8


def test_a_shared_target_can_be_deleted_while_others_use_it(desk):
    target_id = desk.target()
    share(desk, target_id, SECURITY)
    filter_id = desk.filter(account=SECURITY)
    session_id = desk.session(filter_id, target_id, eni_id="eni-0a1b2c3d4e5f60050", account=SECURITY)
    desk.call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=target_id)
    assert target_id in desk.stopped()[session_id]
    assert desk.show("Session", session_id, account=SECURITY)["TrafficMirrorTargetId"] == target_id
    own = desk.target("eni-0a1b2c3d4e5f60110", account=SECURITY)
    desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=session_id, Description="x", account=SECURITY)
    assert target_id in desk.stopped()[session_id]
    desk.call(
        "ModifyTrafficMirrorSession", TrafficMirrorSessionId=session_id, TrafficMirrorTargetId=own, account=SECURITY
    )
    assert desk.stopped() == {}


def test_a_target_whose_interface_is_gone_takes_no_session(desk):
    target_id, filter_id = desk.target(), desk.filter()
    session_id = desk.session(filter_id, target_id)
    desk.synchronize(without(example(), "NetworkInterfaces", COLLECTOR))
    assert COLLECTOR in desk.stopped()[session_id]
    with refusal("InvalidTrafficMirrorTarget", f"The interface ID '{COLLECTOR}' does not exist"):
        desk.session(filter_id, target_id, 2)
