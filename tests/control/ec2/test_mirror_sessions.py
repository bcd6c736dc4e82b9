"""Traffic mirror sessions: shapes, values, order, packet length and VNI by default, quotas, stopping and going on."""

from __future__ import annotations

import pytest

from tests.control.kits.inventory_kit import (
    APPLICATION,
    COLLECTOR,
    DATABASE,
    ENDPOINT,
    ENDPOINT_ENI,
    OWNER,
    PARTNER,
    SCANNER,
    SENSORS,
    WEB,
    WEBSHOP,
    example,
    without,
)
from tests.control.kits.mirror_kit import Desk, crowd, crowded, refusal


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def filter_id(desk):
    return desk.filter()


def modify(desk, session_id, **parameters):
    result = desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=session_id, **parameters)
    assert set(result) == {"TrafficMirrorSession"}
    assert desk.show("Session", session_id) == result["TrafficMirrorSession"]
    return result["TrafficMirrorSession"]


def test_a_session_is_what_aws_prints(desk, filter_id):
    ec2, target_id = desk.client("ec2"), desk.target()
    result = ec2.create_traffic_mirror_session(
        NetworkInterfaceId=WEB,
        TrafficMirrorTargetId=target_id,
        TrafficMirrorFilterId=filter_id,
        SessionNumber=1,
        PacketLength=25,
        VirtualNetworkId=7159709,
        Description="example session",
        ClientToken="t-1",
        TagSpecifications=[{"ResourceType": "traffic-mirror-session", "Tags": [{"Key": "a", "Value": "b"}]}],
    )
    session = result["TrafficMirrorSession"]
    identifier = session["TrafficMirrorSessionId"]
    assert identifier.startswith("tms-") and result["ClientToken"] == "t-1"
    assert session == {
        "TrafficMirrorSessionId": identifier,
        "TrafficMirrorTargetId": target_id,
        "TrafficMirrorFilterId": filter_id,
        "NetworkInterfaceId": WEB,
        "OwnerId": OWNER,
        "PacketLength": 25,
        "SessionNumber": 1,
        "VirtualNetworkId": 7159709,
        "Description": "example session",
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert ec2.describe_traffic_mirror_sessions(TrafficMirrorSessionIds=[identifier])["TrafficMirrorSessions"] == [
        session
    ]
    changed = ec2.modify_traffic_mirror_session(TrafficMirrorSessionId=identifier, SessionNumber=2)
    assert changed["TrafficMirrorSession"] == {**session, "SessionNumber": 2}
    assert ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=identifier)["TrafficMirrorSessionId"] == identifier
    assert ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []


def test_what_nobody_asked_for(desk, filter_id):
    session = desk.show("Session", desk.session(filter_id, desk.target()))
    assert not {"PacketLength", "Description"} & set(session)
    assert 1 <= session["VirtualNetworkId"] <= 0xFFFFFF


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"SessionNumber": 0}, "SessionNumber must be a whole number from 1 to 32766"),
        ({"SessionNumber": 32767}, "SessionNumber"),
        ({"SessionNumber": -5}, "SessionNumber"),
        ({"VirtualNetworkId": 0}, "VirtualNetworkId"),
        ({"VirtualNetworkId": 16777216}, "VirtualNetworkId must be a whole number from 1 to 16777215"),
        ({"PacketLength": 0}, "PacketLength"),
        ({"PacketLength": 9002}, "PacketLength must be a whole number from 1 to 9001"),
        ({"Description": "x" * 256}, "Description"),
    ],
)
def test_values_that_cannot_be(desk, filter_id, parameters, message):
    target_id = desk.target()
    number = parameters.get("SessionNumber", 1)
    rest = {name: value for name, value in parameters.items() if name != "SessionNumber"}
    with refusal("InvalidParameterValue", message):
        desk.session(filter_id, target_id, number, **rest)
    assert desk.describe("Sessions") == []
    session_id = desk.session(filter_id, target_id)
    before = desk.show("Session", session_id)
    with refusal("InvalidParameterValue", message):
        desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=session_id, **parameters)
    assert desk.show("Session", session_id) == before


def test_the_largest_values_that_can_be(desk, filter_id):
    session_id = desk.session(filter_id, desk.target(), 32766, VirtualNetworkId=16777215, PacketLength=9001)
    session = desk.show("Session", session_id)
    assert (session["SessionNumber"], session["VirtualNetworkId"], session["PacketLength"]) == (32766, 16777215, 9001)
    assert modify(desk, session_id, SessionNumber=1, VirtualNetworkId=1, PacketLength=1)["PacketLength"] == 1


@pytest.mark.parametrize(
    "name", ["NetworkInterfaceId", "TrafficMirrorTargetId", "TrafficMirrorFilterId", "SessionNumber"]
)
def test_parameters_that_must_be_given(desk, filter_id, name):
    parameters = {
        "NetworkInterfaceId": WEB,
        "TrafficMirrorTargetId": desk.target(),
        "TrafficMirrorFilterId": filter_id,
        "SessionNumber": 1,
    }
    del parameters[name]
    with refusal("MissingParameter", name):
        desk.call("CreateTrafficMirrorSession", **parameters)


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        (
            {"NetworkInterfaceId": "eni-1"},
            "InvalidNetworkInterfaceID.NotFound",
            "The networkInterface ID 'eni-1' does not exist",
        ),
        ({"NetworkInterfaceId": APPLICATION}, "InvalidNetworkInterfaceID.NotFound", APPLICATION),
        ({"TrafficMirrorTargetId": "tmt-1"}, "InvalidTrafficMirrorTargetId.NotFound", "tmt-1"),
        ({"TrafficMirrorFilterId": "tmf-1"}, "InvalidTrafficMirrorFilterId.NotFound", "tmf-1"),
    ],
)
def test_references_that_lead_nowhere(desk, filter_id, parameters, code, message):
    right = {
        "NetworkInterfaceId": WEB,
        "TrafficMirrorTargetId": desk.target(),
        "TrafficMirrorFilterId": filter_id,
        "SessionNumber": 1,
    }
    with refusal(code, message):
        desk.call("CreateTrafficMirrorSession", **{**right, **parameters})
    if "NetworkInterfaceId" not in parameters:
        session_id = desk.call("CreateTrafficMirrorSession", **right)["TrafficMirrorSession"]["TrafficMirrorSessionId"]
        with refusal(code, message):
            desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=session_id, **parameters)


def test_the_owner_of_a_subnet_can_mirror_what_is_in_it(desk, filter_id):
    session = desk.show("Session", desk.session(filter_id, desk.target(), eni_id=SCANNER))
    assert (session["OwnerId"], session["NetworkInterfaceId"]) == (OWNER, SCANNER)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"InterfaceType": "vpc_endpoint"}, "must be of type interface"),
        ({"Status": "available"}, "must be attached to a supported instance"),
        ({"RequesterManaged": True, "RequesterId": "amazon-elb"}, "is managed by a service"),
        ({"SubnetId": "subnet-0000000000000006a"}, "is in an IPv6-only subnet"),
        ({"Attachment": {"InstanceId": "i-0000000000000002a"}}, "must be attached to a supported instance"),
        ({"Attachment": {"InstanceId": "i-0000000000000003a"}}, "must be attached to a supported instance"),
        ({"MacAddress": None}, "has no MAC address"),
    ],
)
def test_interfaces_that_cannot_be_sources(fields, message):
    documents = crowded(1, **fields)
    documents["Subnets"].append({"SubnetId": "subnet-0000000000000006a", "OwnerId": OWNER, "Ipv6Native": True})
    documents["Instances"] = [
        {"InstanceId": "i-0000000000000002a", "OwnerId": OWNER, "InstanceType": "t2.micro"},
        {"InstanceId": "i-0000000000000003a", "OwnerId": OWNER, "InstanceType": "m6i.metal"},
    ]
    desk = Desk(documents)
    with refusal("NetworkInterfaceNotSupported", f"{crowd(1)[0]} {message}"):
        desk.session(desk.filter(), desk.target(), eni_id=crowd(1)[0])


@pytest.mark.parametrize(
    "fields",
    [
        {"RequesterManaged": True, "RequesterId": "amazon-rds"},
        {"RequesterManaged": True, "RequesterId": "amazon-elasticache"},
        {"Attachment": {"InstanceId": "i-0000000000000001a"}},
        {"Attachment": {"InstanceId": "i-0000000000000009a"}},
        {"Attachment": {"InstanceId": "i-000000000000000ea"}},
    ],
)
def test_interfaces_that_can_be_sources(fields):
    documents = crowded(1, **fields)
    documents["Instances"] = [
        {"InstanceId": "i-0000000000000001a", "OwnerId": OWNER, "InstanceType": "m5.metal"},
        {"InstanceId": "i-0000000000000009a", "OwnerId": OWNER, "InstanceType": "u-6tb1.56xlarge"},
        {"InstanceId": "i-000000000000000ea", "OwnerId": OWNER, "InstanceType": "x1e.xlarge"},
    ]
    desk = Desk(documents)
    desk.session(desk.filter(), desk.target(), eni_id=crowd(1)[0])


def test_the_interface_of_an_endpoint_is_no_source(desk, filter_id):
    with refusal("NetworkInterfaceNotSupported", ENDPOINT_ENI):
        desk.session(filter_id, desk.target(), eni_id=ENDPOINT_ENI)


def test_a_target_cannot_be_a_source(desk, filter_id):
    target_id = desk.target()
    with refusal("InvalidParameterValue", f"{COLLECTOR} is in use by target {target_id}"):
        desk.session(filter_id, target_id, eni_id=COLLECTOR)


# Numbers and quotas.


def test_a_number_is_used_once_per_interface(desk, filter_id):
    target_id = desk.target()
    first, second = desk.session(filter_id, target_id, 1), desk.session(filter_id, target_id, 2)
    with refusal("InvalidParameterValue", f"is already being used by {first}"):
        desk.session(filter_id, target_id, 1)
    with refusal("InvalidParameterValue", f"is already being used by {first}"):
        desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=second, SessionNumber=1)
    desk.session(filter_id, target_id, 1, eni_id=DATABASE)
    assert modify(desk, first, SessionNumber=1)["SessionNumber"] == 1
    assert modify(desk, first, SessionNumber=3)["SessionNumber"] == 3
    assert modify(desk, second, SessionNumber=1)["SessionNumber"] == 1


def test_an_interface_has_three_sessions(desk, filter_id):
    target_id = desk.target()
    sessions = [desk.session(filter_id, target_id, number) for number in (1, 2, 3)]
    with refusal("TrafficMirrorSessionsPerInterfaceLimitExceeded", "(4)"):
        desk.session(filter_id, target_id, 4)
    desk.session(filter_id, target_id, 4, eni_id=DATABASE)
    desk.call("DeleteTrafficMirrorSession", TrafficMirrorSessionId=sessions[0])
    desk.session(filter_id, target_id, 4)


def test_an_account_has_so_many_sessions():
    desk = Desk(sessions=2)
    filter_id, target_id = desk.filter(), desk.target()
    desk.session(filter_id, target_id, 1)
    desk.session(filter_id, target_id, 2)
    with refusal("TrafficMirrorSessionLimitExceeded", "(3)"):
        desk.session(filter_id, target_id, 1, eni_id=DATABASE)


def test_an_interface_target_takes_ten_sources():
    desk = Desk(crowded(11))
    filter_id, target_id, other = desk.filter(), desk.target(), desk.target()
    *ten, eleventh = crowd(11)
    for eni_id in ten:
        desk.session(filter_id, target_id, eni_id=eni_id)
    with refusal("TrafficMirrorSourcesPerTargetLimitExceeded", "Sources per interface-target limit reached (11)"):
        desk.session(filter_id, target_id, eni_id=eleventh)
    desk.session(filter_id, target_id, 2, eni_id=ten[0])
    moved = desk.session(filter_id, other, eni_id=eleventh)
    with refusal("TrafficMirrorSourcesPerTargetLimitExceeded", "(11)"):
        desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=moved, TrafficMirrorTargetId=target_id)
    balancer = desk.target(NetworkLoadBalancerArn=SENSORS)
    for eni_id in (*ten, eleventh):
        desk.session(filter_id, balancer, 3, eni_id=eni_id)
    endpoint = desk.target(GatewayLoadBalancerEndpointId=ENDPOINT)
    for session in desk.describe("Sessions"):
        desk.call(
            "ModifyTrafficMirrorSession",
            TrafficMirrorSessionId=session["TrafficMirrorSessionId"],
            TrafficMirrorTargetId=endpoint,
        )


def test_a_large_instance_takes_a_hundred_sources():
    documents = crowded(11)
    documents["Instances"] = [{"InstanceId": "i-0a1b2c3d4e5f60100", "OwnerId": OWNER, "InstanceType": "m5.24xlarge"}]
    desk = Desk(documents, sources_per_interface_target=5)
    filter_id, target_id = desk.filter(), desk.target()
    for eni_id in crowd(11):
        desk.session(filter_id, target_id, eni_id=eni_id)
    assert len(desk.describe("Sessions")) == 11


def test_a_quota_of_sessions_on_one_target():
    desk = Desk(crowded(4), sessions_per_target=2)
    filter_id, target_id, other = desk.filter(), desk.target(), desk.target(NetworkLoadBalancerArn=SENSORS)
    endpoint = desk.target(GatewayLoadBalancerEndpointId=ENDPOINT)
    first, second, third, fourth = crowd(4)
    kept = desk.session(filter_id, target_id, eni_id=first)
    desk.session(filter_id, target_id, 2, eni_id=first)
    limit = "TrafficMirrorSessionsPerTargetLimitExceeded"
    with refusal(limit, "Sessions per target limit reached (3)"):
        desk.session(filter_id, target_id, eni_id=second)
    moved = desk.session(filter_id, other, eni_id=second)
    with refusal(limit, "(3)"):
        desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=moved, TrafficMirrorTargetId=target_id)
    desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=kept, TrafficMirrorTargetId=target_id)  # it is there
    for eni_id in (first, third, fourth):
        desk.session(filter_id, endpoint, 3, eni_id=eni_id)  # an endpoint takes any number


# Packet length and VNI.


def test_a_load_balancer_takes_8500_bytes(desk, filter_id):
    target_id = desk.target(NetworkLoadBalancerArn=SENSORS)
    session_id = desk.session(filter_id, target_id)
    assert desk.show("Session", session_id)["PacketLength"] == 8500
    with refusal("InvalidParameterValue", "PacketLength must be a whole number from 1 to 8500"):
        desk.session(filter_id, target_id, 2, PacketLength=8501)
    with refusal("InvalidParameterValue", "8500"):
        desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=session_id, PacketLength=8501)
    assert modify(desk, session_id, PacketLength=1)["PacketLength"] == 1
    assert modify(desk, session_id, RemoveFields=["packet-length"])["PacketLength"] == 8500


def test_the_packet_length_follows_the_target(desk, filter_id):
    balancer, interface = desk.target(NetworkLoadBalancerArn=SENSORS), desk.target()
    session_id = desk.session(filter_id, interface, PacketLength=9000)
    with refusal("InvalidParameterValue", "PacketLength"):
        desk.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=session_id, TrafficMirrorTargetId=balancer)
    assert modify(desk, session_id, TrafficMirrorTargetId=balancer, PacketLength=8500)["PacketLength"] == 8500
    assert modify(desk, session_id, TrafficMirrorTargetId=interface)["PacketLength"] == 8500
    assert "PacketLength" not in modify(desk, session_id, RemoveFields=["packet-length"])
    assert modify(desk, session_id, TrafficMirrorTargetId=balancer)["PacketLength"] == 8500
    assert "PacketLength" not in modify(desk, session_id, TrafficMirrorTargetId=interface)


def test_vnis_are_unused_ones_unless_asked_for(desk, filter_id, monkeypatch):
    target_id = desk.target()
    first = desk.show("Session", desk.session(filter_id, target_id, VirtualNetworkId=5))
    draws = iter([5, 5, 6])
    monkeypatch.setattr(desk._random, "randint", lambda low, high: next(draws))
    second = desk.show("Session", desk.session(filter_id, target_id, 2))
    third = desk.show("Session", desk.session(filter_id, target_id, 3, VirtualNetworkId=5))
    assert [each["VirtualNetworkId"] for each in (first, second, third)] == [5, 6, 5]


def test_a_removed_vni_is_drawn_anew(desk, filter_id):
    session_id = desk.session(filter_id, desk.target(), VirtualNetworkId=5, Description="d")
    session = modify(desk, session_id, RemoveFields=["virtual-network-id", "description"])
    assert session["VirtualNetworkId"] != 5 and 1 <= session["VirtualNetworkId"] <= 0xFFFFFF
    assert "Description" not in session
    with refusal("InvalidParameterValue", "RemoveFields"):
        modify(desk, session_id, RemoveFields=["session-number"])
    with refusal("InvalidParameterCombination", "virtual-network-id"):
        modify(desk, session_id, RemoveFields=["virtual-network-id"], VirtualNetworkId=7)


def test_all_that_can_be_modified_at_once(desk, filter_id):
    session_id, target_id, other = desk.session(filter_id, desk.target()), desk.target(), desk.filter()
    session = modify(
        desk,
        session_id,
        TrafficMirrorTargetId=target_id,
        TrafficMirrorFilterId=other,
        PacketLength=100,
        SessionNumber=9,
        VirtualNetworkId=77,
        Description="all",
    )
    assert session == {
        "TrafficMirrorSessionId": session_id,
        "TrafficMirrorTargetId": target_id,
        "TrafficMirrorFilterId": other,
        "NetworkInterfaceId": WEB,
        "OwnerId": OWNER,
        "PacketLength": 100,
        "SessionNumber": 9,
        "VirtualNetworkId": 77,
        "Description": "all",
        "Tags": [],
    }
    assert "Description" not in modify(desk, session_id, Description="")


@pytest.mark.parametrize("operation", ["ModifyTrafficMirrorSession", "DeleteTrafficMirrorSession"])
def test_a_session_that_is_not_there(desk, filter_id, operation):
    with refusal("InvalidTrafficMirrorSessionId.NotFound", "tms-1"):
        desk.call(operation, TrafficMirrorSessionId="tms-1")
    with refusal("MissingParameter", "TrafficMirrorSessionId"):
        desk.call(operation)
    session_id = desk.session(filter_id, desk.target())
    with refusal("InvalidTrafficMirrorSessionId.NotFound", session_id):
        desk.call(operation, TrafficMirrorSessionId=session_id, account=PARTNER)


# Stopping and going on.


def test_a_load_balancer_without_listener_is_accepted(desk, filter_id):
    silent, sensors = desk.target(NetworkLoadBalancerArn=WEBSHOP), desk.target(NetworkLoadBalancerArn=SENSORS)
    session_id = desk.session(filter_id, silent)
    for target_id in (sensors, silent):
        modify(desk, session_id, TrafficMirrorTargetId=target_id)
        assert desk.stopped() == {}, "it waits for a listener: tests/control/plane/test_data_plane.py"


def test_a_session_goes_on_when_it_is_modified_and_its_target_can_be_used(desk, filter_id):
    target_id = desk.target(NetworkLoadBalancerArn=SENSORS)
    session_id = desk.session(filter_id, target_id)
    assert desk.stopped() == {}
    desk.synchronize({**without(example(), "LoadBalancers", SENSORS), "Listeners": []})
    assert set(desk.stopped()) == {session_id}
    modify(desk, session_id, Description="still nowhere to go")
    assert set(desk.stopped()) == {session_id}
    desk.synchronize(example())
    assert set(desk.stopped()) == {session_id}
    modify(desk, session_id, Description="")
    assert desk.stopped() == {}
