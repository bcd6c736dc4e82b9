"""The store as one mirror.json: what it says, that the policy takes it, and that it comes back."""

from __future__ import annotations

import copy
import json

import pytest

from halfsilver.harness.control.plane.documents import assemble
from halfsilver.harness.control.plane.restoring import restore
from halfsilver.harness.policy.policy import Policy, PolicyError, check
from tests.control.kits.inventory_kit import (
    COLLECTOR,
    DATABASE,
    ENDPOINT,
    ENDPOINT_ENI,
    OWNER,
    PARTNER,
    SECURITY,
    SENSORS,
    WEB,
    WEBSHOP,
)
from tests.control.kits.mirror_kit import Desk, crowd, crowded

NIC = [DATABASE, WEB]


def documents_of(desk, carried=None):
    with desk.store.begin() as transaction:
        return json.loads(json.dumps(assemble(transaction, carried)))


def ids(documents, name, key):
    return [each[key] for each in documents[name]]


@pytest.fixture
def desk():
    """Four sessions on two interfaces of the NIC and one beside it, to all kinds of targets; one is stopped."""
    desk = Desk(crowded(1))
    tags = [{"ResourceType": "traffic-mirror-session", "Tags": [{"Key": "Name", "Value": "s"}]}]
    desk.all, desk.unused = desk.filter(Description="all"), desk.filter(account=PARTNER)
    for number, direction in ((20, "ingress"), (10, "ingress"), (10, "egress")):
        desk.rule(desk.all, number, direction, Protocol=6, DestinationPortRange={"FromPort": 80, "ToPort": 80})
    desk.rule(desk.unused, account=PARTNER)
    desk.eni, desk.endpoint = desk.target(), desk.target(GatewayLoadBalancerEndpointId=ENDPOINT)
    desk.sensors, desk.webshop = (desk.target(NetworkLoadBalancerArn=arn) for arn in (SENSORS, WEBSHOP))
    desk.one = desk.session(desk.all, desk.eni, 2, PacketLength=100, TagSpecifications=tags)
    desk.two = desk.session(desk.all, desk.sensors, 1)
    desk.down = desk.session(desk.all, desk.webshop, 1, eni_id=DATABASE)
    desk.beside = desk.session(desk.all, desk.endpoint, 1, eni_id=crowd(1)[0])
    return desk


def test_everything_is_a_policy_without_errors(desk):
    documents = documents_of(desk)
    assert [problem for problem in check(documents) if problem.severity == "error"] == []
    assert ids(documents, "TrafficMirrorSessions", "TrafficMirrorSessionId") == [
        desk.one,
        desk.two,
        desk.down,
        desk.beside,
    ]
    assert ids(documents, "TrafficMirrorFilters", "OwnerId") == [OWNER, PARTNER]
    rules = documents["TrafficMirrorFilters"][0]
    assert [rule["RuleNumber"] for rule in rules["IngressFilterRules"]] == [10, 20]
    assert documents["TrafficMirrorSessions"][0]["Tags"] == [{"Key": "Name", "Value": "s"}]
    sessions = {
        session.session_id: session
        for interface in Policy.from_documents(documents).interfaces
        for session in interface.sessions
    }
    assert sessions[desk.one].packet_length == 100 and sessions[desk.two].packet_length == 8500
    assert all(sessions[each].outer is not None for each in (desk.one, desk.two, desk.beside))
    assert sessions[desk.down].outer is None
    assert "no UDP listener on port 4789" in sessions[desk.down].down_reason


def test_what_a_nic_needs_and_no_more(desk):
    documents = documents_of(desk, NIC)
    assert sorted(ids(documents, "TrafficMirrorSessions", "TrafficMirrorSessionId")) == sorted(
        [desk.one, desk.two, desk.down]
    )
    assert ids(documents, "TrafficMirrorFilters", "TrafficMirrorFilterId") == [desk.all]
    assert sorted(ids(documents, "TrafficMirrorTargets", "TrafficMirrorTargetId")) == sorted(
        [desk.eni, desk.sensors, desk.webshop]
    )
    interfaces = ids(documents, "NetworkInterfaces", "NetworkInterfaceId")
    assert interfaces[:2] == NIC and COLLECTOR in interfaces
    assert not {ENDPOINT_ENI, *crowd(1)} & set(interfaces)
    everything = Policy.from_documents(documents_of(desk), carried=NIC)
    assert Policy.from_documents(documents, carried=NIC).interfaces == everything.interfaces
    assert ids(documents_of(desk, []), "NetworkInterfaces", "NetworkInterfaceId") == []


def test_a_target_that_is_gone_leaves_a_session_that_says_so():
    desk = Desk()
    target_id = desk.target()
    desk.client("ram").create_resource_share(
        name="s",
        principals=[SECURITY],
        resourceArns=[f"arn:aws:ec2:us-east-1:{OWNER}:traffic-mirror-target/{target_id}"],
    )
    session_id = desk.session(
        desk.filter(account=SECURITY), target_id, eni_id="eni-0a1b2c3d4e5f60050", account=SECURITY
    )
    desk.call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=target_id)
    documents = documents_of(desk)
    assert [problem for problem in check(documents) if problem.severity == "error"] == []
    assert target_id in documents["TrafficMirrorSessions"][0]["StoppedReason"]
    assert documents["TrafficMirrorTargets"] == []
    other = Desk()
    with other.store.begin(write=True) as transaction:
        restore(transaction, documents, other.settings)
    assert set(other.stopped()) == {session_id}
    assert documents_of(other) == documents


def test_it_comes_back_as_it_was(desk):
    desk.call("CreateTags", Resources=[WEB], Tags=[{"Key": "halfsilver:mtu", "Value": "1500"}])
    documents = documents_of(desk)
    other = Desk(crowded(1))
    *_, gone = (other.filter() for _ in range(9))
    with other.store.begin(write=True) as transaction:
        restore(transaction, documents, other.settings)
    assert documents_of(other) == documents
    assert gone not in ids(documents_of(other), "TrafficMirrorFilters", "TrafficMirrorFilterId")
    assert other.describe("Sessions") == desk.describe("Sessions")
    assert other.describe("Filters", account=PARTNER) == desk.describe("Filters", account=PARTNER)
    assert other.stopped() == desk.stopped()
    with pytest.raises(Exception, match="is already being used by"):
        other.session(desk.all, desk.eni, 1)
    with pytest.raises(Exception, match="NlbInUse"):
        other.target(NetworkLoadBalancerArn=SENSORS)
    moved = other.call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=desk.two, TrafficMirrorTargetId=desk.eni)
    assert "PacketLength" not in moved["TrafficMirrorSession"]


def test_more_sources_than_a_nic_carries_come_back_too():
    desk = Desk(crowded(17), sources_per_interface_target=20)
    filter_id, target_id = desk.filter(), desk.target()
    for eni_id in crowd(17):
        desk.session(filter_id, target_id, eni_id=eni_id)
    other = Desk(crowded(17))
    with other.store.begin(write=True) as transaction:
        restore(transaction, documents_of(desk), other.settings)
    assert documents_of(other) == documents_of(desk)


def test_what_aws_prints_comes_in(desk):
    """Without our own members, with nulls and with what only AWS can tag."""
    documents = documents_of(desk)
    for mirror_filter in documents["TrafficMirrorFilters"]:
        del mirror_filter["OwnerId"]
        mirror_filter["NetworkServices"] = None
        for rule in mirror_filter["IngressFilterRules"]:
            rule |= {"Protocol": 0, "DestinationPortRange": None, "Description": None}
    session = documents["TrafficMirrorSessions"][0]
    del session["OwnerId"], session["VirtualNetworkId"]
    session["Tags"] = [{"Key": "aws:cloudformation:stack-name", "Value": "prod"}]
    other = Desk(crowded(1))
    with other.store.begin(write=True) as transaction:
        restore(transaction, documents, other.settings, account=OWNER)
    assert len(other.describe("Filters", account=OWNER)) == 2
    found = other.show("Session", session["TrafficMirrorSessionId"], account=OWNER)
    assert found["OwnerId"] == OWNER and found["Tags"] == session["Tags"]
    assert 1 <= found["VirtualNetworkId"] <= 0xFFFFFF
    rule = other.describe("FilterRules", account=OWNER)[0]
    assert not {"Protocol", "DestinationPortRange", "Description"} & set(rule)


def change(documents, *path, to):
    changed = copy.deepcopy(documents)
    *way, last = path
    place = changed
    for step in way:
        place = place[step]
    if to is None:
        del place[last]
    else:
        place[last] = to
    return changed


def test_every_problem_is_listed_and_nothing_changes(desk):
    documents = documents_of(desk)
    before = documents_of(desk)
    for path, value, where in (
        (("TrafficMirrorSessions", 0, "SessionNumber"), 0, "SessionNumber"),
        (("TrafficMirrorSessions", 0, "TrafficMirrorTargetId"), "tmt-1", "TrafficMirrorTargetId"),
        (("TrafficMirrorFilters", 0, "IngressFilterRules", 0, "SourceCidrBlock"), "x", "SourceCidrBlock"),
        (("TrafficMirrorFilters", 0, "OwnerId"), None, "OwnerId"),
        (("TrafficMirrorTargets", 0, "OwnerId"), "12", "OwnerId"),
        (("TrafficMirrorFilters", 0, "Description"), 5, "Description"),
        (("TrafficMirrorSessions", 0, "Tags"), [{"Value": "x"}], "Tags[0].Key"),
    ):
        with pytest.raises(PolicyError) as info, desk.store.begin(write=True) as transaction:
            restore(transaction, change(documents, *path, to=value), desk.settings)
        assert any(where in problem.where for problem in info.value.problems), info.value.problems
        assert documents_of(desk) == before
    two = change(
        change(documents, "TrafficMirrorFilters", 0, "OwnerId", to=None), "TrafficMirrorTargets", 1, "OwnerId", to=7
    )
    with pytest.raises(PolicyError) as info, desk.store.begin(write=True) as transaction:
        restore(transaction, two, desk.settings)
    assert len(info.value.problems) == 2


def test_a_source_must_be_in_the_inventory(desk):
    documents = documents_of(desk)
    other, beside = Desk(), crowd(1)[0]
    with (
        pytest.raises(PolicyError, match=f"{beside} is not in the inventory"),
        other.store.begin(write=True) as transaction,
    ):
        restore(transaction, documents, other.settings)
    assert other.describe("Sessions") == []


def test_what_the_quotas_let_be_stored_comes_back():
    """And no more than the quotas of the server that takes it."""
    quotas = {"rules_per_filter": 11, "sessions_per_interface": 4, "tags_per_resource": 51}
    desk = Desk(crowded(1), **quotas)
    tags = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    filter_id = desk.filter(TagSpecifications=[{"ResourceType": "traffic-mirror-filter", "Tags": tags}])
    for number in range(1, 12):
        desk.rule(filter_id, number)
    target_id = desk.target()
    for number in range(1, 5):
        desk.session(filter_id, target_id, number, eni_id=crowd(1)[0])
    documents = documents_of(desk)
    other = Desk(crowded(1), **quotas)
    with other.store.begin(write=True) as transaction:
        counts = restore(transaction, documents, other.settings)
    assert documents_of(other) == documents
    assert counts == {"filter": 1, "rule": 11, "target": 1, "session": 4}
    for name, message in (
        ("rules_per_filter", "at most 10"),
        ("sessions_per_interface", "at most 3"),
        ("tags_per_resource", "has 51 tags; a resource has at most 50"),
    ):
        strict = Desk(crowded(1), **{key: value for key, value in quotas.items() if key != name})
        with pytest.raises(PolicyError, match=message), strict.store.begin(write=True) as transaction:
            restore(transaction, documents, strict.settings)


def test_tags_that_only_aws_makes_are_not_counted(desk):
    tags = [{"Key": f"{prefix}{number}", "Value": ""} for prefix in ("aws:", "own") for number in range(50)]
    documents = change(documents_of(desk), "TrafficMirrorTargets", 0, "Tags", to=tags)
    with desk.store.begin(write=True) as transaction:
        restore(transaction, documents, desk.settings)
    assert documents_of(desk) == documents


def test_what_belongs_together_is_of_one_account(desk):
    """A line for each target on a resource of another account, and for each session with the filter of another."""
    documents = documents_of(desk)
    for place in range(3):
        documents["TrafficMirrorTargets"][place]["OwnerId"] = SECURITY
    documents["TrafficMirrorSessions"][0]["TrafficMirrorFilterId"] = desk.unused
    with pytest.raises(PolicyError) as info, desk.store.begin(write=True) as transaction:
        restore(transaction, documents, desk.settings)
    said = [(problem.where.replace(".", " ").split()[-1], problem.message) for problem in info.value.problems]
    assert [where for where, _ in said] == [
        "NetworkInterfaceId",
        "GatewayLoadBalancerEndpointId",
        "NetworkLoadBalancerArn",
        "TrafficMirrorFilterId",
    ]
    assert all(f"belongs to {OWNER} and this to {SECURITY}" in message for _, message in said[:3])
    assert f"{desk.unused} belongs to {PARTNER} and this to {OWNER}" in said[3][1]


class Read(dict):
    """A session that counts how often its number is asked for."""

    count = 0

    def get(self, key, default=None):
        Read.count += key == "SessionNumber"
        return super().get(key, default)


def test_what_is_restored_is_read_once_to_be_judged_and_once_to_be_kept(desk):
    documents = documents_of(desk)
    documents["TrafficMirrorSessions"] = sessions = [Read(each) for each in documents["TrafficMirrorSessions"]]
    with desk.store.begin(write=True) as transaction:
        restore(transaction, documents, desk.settings)
    assert Read.count == 2 * len(sessions)
