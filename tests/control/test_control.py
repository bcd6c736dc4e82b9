"""Requests against a control plane in this process: transactions, engines that fail, servers that share a store."""

import json
import time
import uuid
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from halfsilver.harness.control.control import Control
from halfsilver.harness.control.iam.policies import ADMINISTRATOR, Policies
from halfsilver.harness.control.inventory import inventory_file
from halfsilver.harness.control.operations.call import Call, Caller, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.quotas import Quotas
from halfsilver.harness.control.plane.data_plane import DataPlane
from halfsilver.harness.control.state.store import Store
from halfsilver.harness.errors import CapacityExceeded, HalfsilverError, UsageError
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction, Verdict
from tests.control.kits.data_plane_kit import Refusing
from tests.control.kits.serve_kit import ANYWHERE, COLLECTOR, DATABASE, INVENTORY, WEB, to_web

OWNER, SECURITY = "111122223333", "222233334444"
SECOND_COLLECTOR = "eni-0a1b2c3d4e5f60101"


def invoke(control, operation, account=OWNER, service="ec2", region="", **parameters):
    caller = Caller(account, f"arn:aws:iam::{account}:user/ann", "AIDAEXAMPLE", "ann")
    return control.execute(
        Call(service, operation, parameters, caller, str(uuid.uuid4()), "127.0.0.1", datetime.now(UTC), region=region)
    )


def verdict(control, port=80, eni_id=WEB):
    judged = control.process([Frame(bytes(to_web(port, eni_id)), Direction.INGRESS)])
    copies = [int.from_bytes(output.data[46:49]) for output in judged.result.outputs]
    return judged.result.verdicts[0].verdict, *copies


@pytest.fixture
def inventory():
    return inventory_file.load(INVENTORY)


@pytest.fixture
def engine():
    return Refusing()


@pytest.fixture
def start(tmp_path, inventory):
    """Control planes on one store; closed in the end."""
    opened = []

    def make(engine, *, inventory=inventory, settings=None, policies=lambda caller: ADMINISTRATOR, **options):
        store = Store(str(tmp_path / "state.sqlite"))
        opened.append(store)
        plane = DataPlane(lambda: engine, inventory.nic)
        control = Control(store, inventory, settings or Settings(), plane, policies, **options)
        opened.append(control)
        return control

    yield make
    for each in reversed(opened):
        each.close()


@pytest.fixture
def control(start, engine):
    return start(engine)


def make_rule(control, filter_id, number=1, port=80, **more):
    return invoke(
        control,
        "CreateTrafficMirrorFilterRule",
        TrafficMirrorFilterId=filter_id,
        TrafficDirection="ingress",
        RuleNumber=number,
        RuleAction="accept",
        Protocol=6,
        DestinationPortRange={"FromPort": port, "ToPort": port},
        **ANYWHERE,
        **more,
    )


def make_parts(control):
    """A filter for TCP to port 80, and a target."""
    made = invoke(control, "CreateTrafficMirrorFilter")["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    make_rule(control, made)
    target = invoke(control, "CreateTrafficMirrorTarget", NetworkInterfaceId=COLLECTOR)["TrafficMirrorTarget"]
    return made, target["TrafficMirrorTargetId"]


def make_session(control, parts, number=1, eni_id=WEB, **more):
    made = invoke(
        control,
        "CreateTrafficMirrorSession",
        NetworkInterfaceId=eni_id,
        TrafficMirrorFilterId=parts[0],
        TrafficMirrorTargetId=parts[1],
        SessionNumber=number,
        **more,
    )
    return made["TrafficMirrorSession"]["TrafficMirrorSessionId"]


def sessions(control, account=OWNER):
    return invoke(control, "DescribeTrafficMirrorSessions", account)["TrafficMirrorSessions"]


# One request, one transaction.


def test_what_is_answered_is_what_the_next_frame_meets(control):
    session = make_session(control, make_parts(control), VirtualNetworkId=5)
    assert verdict(control) == (Verdict.MIRRORED, 5)
    invoke(control, "ModifyTrafficMirrorSession", TrafficMirrorSessionId=session, VirtualNetworkId=6)
    assert verdict(control) == (Verdict.MIRRORED, 6)
    invoke(control, "DeleteTrafficMirrorSession", TrafficMirrorSessionId=session)
    assert verdict(control) == (Verdict.NO_SESSION,)


def test_a_dry_run_changes_nothing(control):
    parts = make_parts(control)
    before = control.status()["generation"]
    with pytest.raises(ApiError) as caught:
        make_session(control, parts, DryRun=True)
    assert (caught.value.code, caught.value.status) == ("DryRunOperation", 412)
    assert sessions(control) == [] and verdict(control) == (Verdict.NO_SESSION,)
    assert control.status()["generation"] == before
    with pytest.raises(ApiError, match="InvalidParameterValue"):
        make_session(control, parts, number=0, DryRun=True)
    with pytest.raises(ApiError, match="DryRunOperation"):
        invoke(control, "DescribeTrafficMirrorSessions", DryRun=True)


def test_a_dry_run_does_not_use_up_its_token(control):
    parts = make_parts(control)
    with pytest.raises(ApiError, match="DryRunOperation"):
        make_session(control, parts, ClientToken="one", DryRun=True)
    made = make_session(control, parts, ClientToken="one")
    assert make_session(control, parts, ClientToken="one") == made and len(sessions(control)) == 1
    with pytest.raises(ApiError, match="DryRunOperation"):
        make_session(control, parts, ClientToken="one", DryRun=True)


def test_a_repeated_request_is_no_change(control, engine):
    parts = make_parts(control)
    make_session(control, parts, ClientToken="one")
    before = control.status()["generation"], len(engine.configured)
    make_session(control, parts, ClientToken="one")
    assert (control.status()["generation"], len(engine.configured)) == before


def test_generations_count_committed_changes(control):
    generations = [control.status()["generation"]]
    parts = make_parts(control)
    generations.append(control.status()["generation"])
    with pytest.raises(ApiError):
        make_session(control, parts, number=-1)
    sessions(control)
    generations.append(control.status()["generation"])
    assert [each - generations[0] for each in generations] == [0, 3, 3]


def test_an_operation_that_nobody_knows(control):
    with pytest.raises(ApiError, match="InvalidAction: The action DescribeSpotFleets is not valid"):
        invoke(control, "DescribeSpotFleets")


def test_policies_are_asked_in_the_transaction(start, engine):
    control = start(engine, policies=lambda caller: Policies() if caller.account == SECURITY else ADMINISTRATOR)
    invoke(control, "CreateTrafficMirrorFilter")
    with pytest.raises(ApiError) as caught:
        invoke(control, "CreateTrafficMirrorFilter", SECURITY)
    assert (caught.value.code, caught.value.status) == ("UnauthorizedOperation", 403)


# Engines.


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        (HalfsilverError("the board does not answer"), "ServiceUnavailable", 503),
        (OSError("no such device"), "ServiceUnavailable", 503),
        (CapacityExceeded("the policy needs 11 rules", "rules"), "TrafficMirrorFilterRuleLimitExceeded", 400),
        (ZeroDivisionError("a fault in the driver"), None, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_engine_that_fails_to_configure_changes_nothing(control, engine, fault, code, status):
    """The store is as before, also behind tags of several objects, and the old policy goes on."""
    parts = make_parts(control)
    session = make_session(control, parts, VirtualNetworkId=5)
    before = sessions(control), control.status()["generation"]
    engine.faults = [fault]
    with pytest.raises(ApiError if code else ZeroDivisionError) as caught:
        invoke(control, "ModifyTrafficMirrorSession", TrafficMirrorSessionId=session, VirtualNetworkId=6)
    if code:
        assert (caught.value.code, caught.value.status) == (code, status) and str(fault) in caught.value.message
    assert (sessions(control), control.status()["generation"]) == before
    assert verdict(control) == (Verdict.MIRRORED, 5)
    assert control.status()["engine"]["state"] == "running"
    invoke(control, "ModifyTrafficMirrorSession", TrafficMirrorSessionId=session, VirtualNetworkId=7)
    assert verdict(control) == (Verdict.MIRRORED, 7)


def test_quotas_above_the_engines_size(start, engine):
    """The quota allows an eleventh rule, the NIC has no place for it; a filter that no session uses may have it."""
    control = start(engine, settings=Settings(quotas=Quotas(rules_per_filter=20)))
    parts = make_parts(control)
    session = make_session(control, parts)
    for number in range(2, 11):
        make_rule(control, parts[0], number)
    with pytest.raises(ApiError, match="TrafficMirrorFilterRuleLimitExceeded: .* 11 rules"):
        make_rule(control, parts[0], 11, port=81)
    assert verdict(control)[0] is Verdict.MIRRORED and verdict(control, 81)[0] is Verdict.NO_MATCH
    invoke(control, "DeleteTrafficMirrorSession", TrafficMirrorSessionId=session)
    make_rule(control, parts[0], 11, port=81)
    with pytest.raises(ApiError, match="TrafficMirrorFilterRuleLimitExceeded"):
        make_session(control, parts)
    make_session(control, parts, eni_id=SECOND_COLLECTOR)  # which the NIC does not carry


def test_a_broken_engine_is_opened_again(start, engine):
    control = start(engine, poll=0.02)
    make_session(control, make_parts(control), VirtualNetworkId=5)
    engine.dead = True
    with pytest.raises(HalfsilverError, match="the board does not answer"):
        verdict(control)
    assert control.status()["engine"]["state"] == "down"
    assert control.status()["engine"]["reason"] == "the board does not answer"
    with pytest.raises(ApiError) as caught:
        make_parts(control)
    assert caught.value.status == 503
    engine.dead = False
    deadline = time.monotonic() + 10
    while control.status()["engine"]["state"] != "running" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert verdict(control) == (Verdict.MIRRORED, 5)


def test_an_engine_that_cannot_be_used_at_all_is_no_server(start, engine):
    engine.dead = True
    with pytest.raises(HalfsilverError, match="the board does not answer"):
        start(engine)


def test_a_restart_brings_the_engine_to_the_stored_policy(start, engine):
    control = start(engine)
    make_session(control, make_parts(control), VirtualNetworkId=5)
    generation = control.status()["generation"]
    control.close()
    again = start(Refusing())
    assert verdict(again) == (Verdict.MIRRORED, 5) and again.status()["generation"] == generation


# What it says of itself.


def test_the_state_of_sessions(control):
    filter_id, target_id = make_parts(control)
    balancer = invoke(
        control,
        "CreateTrafficMirrorTarget",
        NetworkLoadBalancerArn=(
            f"arn:aws:elasticloadbalancing:us-east-1:{OWNER}:loadbalancer/net/webshop/6a1f0b9d3c2e4471"
        ),
    )
    first = make_session(control, (filter_id, target_id), VirtualNetworkId=5)
    silent = make_session(control, (filter_id, balancer["TrafficMirrorTarget"]["TrafficMirrorTargetId"]), number=2)
    shown = control.status()
    assert shown["engine"]["name"] == "golden" and shown["engine"]["state"] == "running"
    assert shown["generation"] == shown["stored_generation"]
    assert [(each["index"], each["id"]) for each in shown["interfaces"]][:2] == [(0, WEB), (1, DATABASE)]
    described = shown["interfaces"][0]["sessions"]
    assert described[0] == {
        "id": first,
        "owner": OWNER,
        "number": 1,
        "target": target_id,
        "filter": filter_id,
        "vni": 5,
        "state": "active",
        "reason": None,
        "obstacles": [],
    }
    assert (described[1]["id"], described[1]["state"]) == (silent, "down")
    assert "no UDP listener on port 4789" in described[1]["reason"]
    assert {each["owner"] for each in control.status(SECURITY)["interfaces"]} == {SECURITY}
    assert control.status(OWNER)["interfaces"] == [each for each in shown["interfaces"] if each["owner"] == OWNER]


# The inventory.


def test_an_inventory_that_the_engine_cannot_take_is_not_taken(control, engine, inventory):
    make_session(control, make_parts(control), VirtualNetworkId=5)
    smaller = inventory_file.from_documents(
        {**json.loads(INVENTORY.read_text()), "Nic": {"NetworkInterfaceIds": [DATABASE]}}
    )
    engine.faults = [HalfsilverError("no room")]
    with pytest.raises(ApiError, match="no room"):
        control.reload(smaller)
    assert verdict(control) == (Verdict.MIRRORED, 5)
    control.reload(smaller)
    assert verdict(control) == (Verdict.NO_ENI,)
    assert verdict(control, eni_id=DATABASE) == (Verdict.NO_SESSION,)


def test_the_status_says_what_keeps_copies_from_their_target(control):
    """By lists of the inventory file, from its next reading; nothing else changes for them."""
    make_session(control, make_parts(control), VirtualNetworkId=5)
    documents = json.loads(INVENTORY.read_text())
    table = {"RouteTableId": "rtb-1", "VpcId": "vpc-0a1b2c3d4e5f60001", "Associations": [{"Main": True}]}

    def obstacles(*routes):
        given = {**documents, "RouteTables": [{**table, "Routes": list(routes)}]}
        control.reload(inventory_file.from_documents(given))
        assert verdict(control) == (Verdict.MIRRORED, 5)
        (session,) = control.status()["interfaces"][0]["sessions"]
        assert session["state"] == "active"
        return session["obstacles"]

    assert obstacles() == ["rtb-1 has no route to 10.0.3.40; add one"]
    assert obstacles({"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}) == []


def test_a_listener_that_appears_starts_the_sessions_that_wait(control):
    documents = json.loads(INVENTORY.read_text())
    silent = inventory_file.from_documents({**documents, "Listeners": []})
    filter_id, _ = make_parts(control)
    balancer = documents["LoadBalancers"][0]["LoadBalancerArn"]
    target = invoke(control, "CreateTrafficMirrorTarget", NetworkLoadBalancerArn=balancer)["TrafficMirrorTarget"]
    control.reload(silent)
    make_session(control, (filter_id, target["TrafficMirrorTargetId"]), VirtualNetworkId=5)
    assert verdict(control)[0] is Verdict.TARGET_DOWN
    control.reload(inventory_file.from_documents(documents))
    assert verdict(control) == (Verdict.MIRRORED, 5)
    control.reload(silent)
    assert verdict(control)[0] is Verdict.TARGET_DOWN


def test_copies_go_to_the_registered_targets_that_are_healthy_now(control):
    """Law 17, by the inventory's target groups: the engine is told of a target's health by the next reading."""
    documents = json.loads(INVENTORY.read_text())
    listener = next(each for each in documents["Listeners"] if each["Port"] == 4789)
    group = "arn:aws:elasticloadbalancing:us-east-1:222233334444:targetgroup/taps/1"
    listener["DefaultActions"] = [{"Type": "forward", "TargetGroupArn": group}]
    places = {each["NetworkInterfaceId"]: each["PrivateIpAddress"] for each in documents["NetworkInterfaces"]}

    def reload(*states):
        health = [
            {
                "Target": {"Id": places[eni_id], "Port": 4789, "AvailabilityZone": "all"},
                "TargetHealth": {"State": state},
            }
            for eni_id, state in zip((COLLECTOR, SECOND_COLLECTOR), states, strict=True)
        ]
        groups = [{"TargetGroupArn": group, "TargetGroupName": "taps", "TargetHealthDescriptions": health}]
        control.reload(inventory_file.from_documents({**documents, "TargetGroups": groups}))

    def arrives():
        data = bytes(to_web(80, WEB))
        flows = [data[:34] + port.to_bytes(2) + data[36:] for port in range(40000, 40040)]
        judged = control.process([Frame(flow, Direction.INGRESS) for flow in flows])
        return {str(ip_address(output.data[30:34])) for output in judged.result.outputs}

    filter_id, _ = make_parts(control)
    balancer = listener["LoadBalancerArn"]
    target = invoke(control, "CreateTrafficMirrorTarget", NetworkLoadBalancerArn=balancer)["TrafficMirrorTarget"]
    make_session(control, (filter_id, target["TrafficMirrorTargetId"]), VirtualNetworkId=5)
    (node,) = arrives()
    reload("healthy", "healthy")
    assert arrives() == {places[COLLECTOR], places[SECOND_COLLECTOR]}
    reload("unhealthy", "healthy")
    assert arrives() == {places[SECOND_COLLECTOR]}
    reload("unhealthy", "draining")
    assert arrives() == {node}


def test_an_inventory_of_another_region(start, engine):
    with pytest.raises(UsageError, match="us-east-1"):
        start(engine, settings=Settings(region="eu-west-1"))


# Several servers on one store.


def test_each_server_takes_up_what_others_have_committed(start):
    one, two = start(Refusing(), shared=True, poll=60), start(Refusing(), shared=True, poll=60)
    session = make_session(one, make_parts(one), VirtualNetworkId=5)
    assert verdict(two) == (Verdict.MIRRORED, 5)
    invoke(two, "ModifyTrafficMirrorSession", TrafficMirrorSessionId=session, VirtualNetworkId=6)
    assert sessions(one)[0]["VirtualNetworkId"] == 6
    assert one.status()["generation"] == two.status()["generation"]
    assert verdict(one) == (Verdict.MIRRORED, 6)


def test_a_server_that_is_asked_nothing_takes_it_up_too(start):
    one, two = start(Refusing(), shared=True, poll=60), start(Refusing(), shared=True, poll=0.02)
    make_session(one, make_parts(one))
    deadline = time.monotonic() + 10
    while two.status()["generation"] != one.status()["generation"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert two.status()["interfaces"][0]["sessions"][0]["state"] == "active"


def test_an_engine_that_cannot_follow_says_so_and_goes_on(start):
    """The other server's engine took the change. This one keeps its policy, and takes the next that it can."""
    small = Refusing()
    one, two = start(Refusing(), shared=True, poll=60), start(small, shared=True, poll=60)
    session = make_session(one, make_parts(one), VirtualNetworkId=5)
    assert verdict(two) == (Verdict.MIRRORED, 5)
    small.faults = [CapacityExceeded("the policy needs 3 sessions, this build has 2", "sessions")]
    invoke(one, "ModifyTrafficMirrorSession", TrafficMirrorSessionId=session, VirtualNetworkId=6)
    sessions(two)
    shown = two.status()
    assert shown["engine"]["state"] == "behind" and "this build has 2" in shown["engine"]["reason"]
    assert shown["stored_generation"] == shown["generation"] + 1
    invoke(one, "ModifyTrafficMirrorSession", TrafficMirrorSessionId=session, VirtualNetworkId=7)
    assert verdict(two) == (Verdict.MIRRORED, 7) and two.status()["engine"]["state"] == "running"


def test_quotas_hold_over_all_servers(start):
    settings = Settings(quotas=Quotas(filters=3))
    servers = [start(Refusing(), settings=settings, shared=True, poll=60) for _ in range(2)]
    for turn in range(3):
        invoke(servers[turn % 2], "CreateTrafficMirrorFilter")
    for server in servers:
        with pytest.raises(ApiError, match="TrafficMirrorFilterLimitExceeded"):
            invoke(server, "CreateTrafficMirrorFilter")
