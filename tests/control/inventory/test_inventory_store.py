"""The inventory file: what the store, of one region, and the sessions become of it."""

from __future__ import annotations

import json

import pytest

from halfsilver.harness.control.inventory.inventory_file import load, synchronize
from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.errors import UsageError
from tests.control.kits.inventory_kit import (
    BATCH,
    CACHE,
    COLLECTOR,
    DATABASE,
    ENDPOINT,
    EXAMPLE,
    SECOND_COLLECTOR,
    SENSORS,
    SENSORS_LISTENER,
    WEB,
    Lab,
    broken,
    example,
    refused,
    without,
)

# Into the store.


def everything(lab):
    with lab.store.begin() as transaction:
        kinds = (
            "account",
            "zone",
            "vpc",
            "subnet",
            "interface",
            "instance",
            "endpoint",
            "load-balancer",
            "listener",
            "filter",
            "target",
            "session",
        )
        return {kind: transaction.find(kind) for kind in kinds}


def test_the_same_file_again_changes_nothing():
    lab = Lab()
    before = everything(lab)
    assert lab.synchronize(example()) == 0
    assert everything(lab) == before


def test_the_store_becomes_what_the_file_says():
    lab = Lab()
    documents = without(example(), "NetworkInterfaces", BATCH)
    documents["Nic"] = {"NetworkInterfaceIds": [CACHE, WEB]}
    documents["NetworkInterfaces"][0]["Description"] = "shop"
    assert lab.synchronize(documents) > 0
    fresh = Lab(documents)

    def contents(some_lab):
        return {
            kind: sorted(
                (each.id, each.account, each.parent, json.dumps([each.document, each.tags, each.note]))
                for each in found
            )
            for kind, found in everything(some_lab).items()
        }

    assert contents(lab) == contents(fresh)
    assert {each.id: each.note["nic"] for each in lab.records("interface") if "nic" in each.note} == {CACHE: 0, WEB: 1}


def test_tags_of_clients_stay_until_the_file_changes_them():
    lab = Lab()
    ec2 = lab.client("ec2")
    ec2.create_tags(Resources=[WEB], Tags=[{"Key": "Name", "Value": "shop"}, {"Key": "team", "Value": "net"}])
    ec2.delete_tags(Resources=[COLLECTOR], Tags=[{"Key": "Name"}])

    def tags(interface):
        (shown,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
        return {each["Key"]: each["Value"] for each in shown["TagSet"]}

    assert lab.synchronize(example()) == 0
    assert (tags(WEB), tags(COLLECTOR)) == ({"Name": "shop", "team": "net"}, {})
    other = {"Key": "a", "Value": "b"}
    lab.synchronize(broken("NetworkInterfaces", 0, TagSet=[{"Key": "Name", "Value": "new"}, other]))
    assert (tags(WEB), tags(COLLECTOR)) == ({"Name": "new", "team": "net", "a": "b"}, {})
    lab.synchronize(broken("NetworkInterfaces", 0, TagSet=[other]))
    assert tags(WEB) == {"team": "net", "a": "b"}


def test_an_inventory_of_another_region():
    lab = Lab()
    with (
        pytest.raises(UsageError, match="region us-east-1 and the server of eu-west-1"),
        lab.store.begin(write=True) as transaction,
    ):
        synchronize(transaction, load(EXAMPLE), Settings(region="eu-west-1"))


# What becomes of sessions.


class Mirroring(Lab):
    """A session from each of three interfaces to a target of its own kind."""

    def __init__(self):
        super().__init__()
        ec2 = self.client("ec2")
        self.filter = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
        self.sessions = {}
        for source, target in (
            (WEB, {"NetworkInterfaceId": COLLECTOR}),
            (DATABASE, {"NetworkLoadBalancerArn": SENSORS}),
            (BATCH, {"GatewayLoadBalancerEndpointId": ENDPOINT}),
        ):
            target_id = ec2.create_traffic_mirror_target(**target)["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
            made = ec2.create_traffic_mirror_session(
                NetworkInterfaceId=source,
                TrafficMirrorTargetId=target_id,
                TrafficMirrorFilterId=self.filter,
                SessionNumber=1,
            )["TrafficMirrorSession"]
            self.sessions[source] = (made["TrafficMirrorSessionId"], target_id)


@pytest.fixture
def lab():
    return Mirroring()


def test_sessions_go_with_their_source(lab):
    kept = {session for source, (session, _) in lab.sessions.items() if source != WEB}
    documents = without(example(), "NetworkInterfaces", WEB)
    documents["Nic"]["NetworkInterfaceIds"].remove(WEB)
    lab.synchronize(documents)
    found = lab.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    assert {each["TrafficMirrorSessionId"] for each in found} == kept
    assert lab.stopped() == {}


@pytest.mark.parametrize(
    ("documents", "source", "reason"),
    [
        (
            without(example(), "NetworkInterfaces", COLLECTOR),
            WEB,
            f"the network interface {COLLECTOR} of {{}} was deleted",
        ),
        (
            {**without(example(), "LoadBalancers", SENSORS), "Listeners": []},
            DATABASE,
            f"the load balancer {SENSORS} of {{}} was deleted",
        ),
        (example(VpcEndpoints=[]), BATCH, f"the endpoint {ENDPOINT} of {{}} was deleted"),
    ],
)
def test_sessions_stop_with_their_targets_resource(lab, documents, source, reason):
    session, target = lab.sessions[source]
    lab.synchronize(documents)
    assert lab.stopped() == {session: reason.format(target)}
    assert lab.synchronize(documents) == 0
    lab.synchronize(example())
    assert set(lab.stopped()) == {session}, "only a change of the session starts it again"
    lab.client("ec2").modify_traffic_mirror_session(TrafficMirrorSessionId=session, SessionNumber=1)
    assert lab.stopped() == {}


@pytest.mark.parametrize(
    "documents",
    [
        without(example(), "Listeners", SENSORS_LISTENER),
        broken("Listeners", 0, Port=4790),
        broken("Listeners", 0, Protocol="TCP"),
    ],
)
def test_sessions_wait_for_a_listener_and_do_not_stop(lab, documents):
    """For what, and that they begin by themselves, is the policy's: tests/control/plane/test_data_plane.py."""
    assert lab.synchronize(documents) == 1
    assert lab.stopped() == {}


def test_a_stopped_session_takes_another_target(lab):
    session, target = lab.sessions[DATABASE]
    lab.synchronize(example(Listeners=[], LoadBalancers=[]))
    assert lab.stopped()[session] == f"the load balancer {SENSORS} of {target} was deleted"
    ec2 = lab.client("ec2")
    with refused("NetworkLoadBalancerNotFoundException"):
        ec2.modify_traffic_mirror_session(TrafficMirrorSessionId=session, TrafficMirrorTargetId=target)
    other = ec2.create_traffic_mirror_target(NetworkInterfaceId=SECOND_COLLECTOR)["TrafficMirrorTarget"]
    ec2.modify_traffic_mirror_session(
        TrafficMirrorSessionId=session, TrafficMirrorTargetId=other["TrafficMirrorTargetId"]
    )
    assert lab.stopped() == {}
