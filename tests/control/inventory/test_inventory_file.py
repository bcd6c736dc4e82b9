"""The inventory file: what it must say, one line for each mistake, and what the store and the sessions become of it."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsilver.harness.control.inventory.inventory_file import InventoryError, from_documents, load, synchronize
from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.errors import EXIT_USAGE, UsageError
from tests.control.kits.inventory_kit import (
    APPLICATION,
    BATCH,
    CACHE,
    COLLECTOR,
    DATABASE,
    ENDPOINT,
    EXAMPLE,
    OWNER,
    PARTNER,
    SECOND_COLLECTOR,
    SENSORS,
    SENSORS_LISTENER,
    WEB,
    Lab,
    example,
    refused,
    without,
)

# Reading.


def test_the_example():
    inventory = load(EXAMPLE)
    assert inventory.nic == (WEB, DATABASE, BATCH, CACHE, "eni-0a1b2c3d4e5f60050", APPLICATION)
    assert (inventory.region, inventory.warnings) == ("us-east-1", ())


def lines(documents):
    """The lines of the error for an inventory that has mistakes."""
    with pytest.raises(InventoryError) as raised:
        from_documents(documents, where="lab.json")
    assert raised.value.exit_code == EXIT_USAGE
    return str(raised.value).splitlines()


def broken(name, index, **members):
    """The example with some members of one object changed; None takes one away."""
    documents = example()
    changed = {**documents[name][index], **members}
    documents[name][index] = {key: value for key, value in changed.items() if value is not None}
    return documents


@pytest.mark.parametrize(
    ("documents", "line"),
    [
        ([], "lab.json: the file: must be a JSON object, not a list"),
        (
            {},
            "lab.json: the file: has no NetworkInterfaces; "
            "put what `aws ec2 describe-network-interfaces` prints into it",
        ),
        (
            broken("NetworkInterfaces", 0, NetworkInterfaceId="eni"),
            'NetworkInterfaces[0].NetworkInterfaceId: must be an id such as eni-0123456789abcdef0, not "eni"',
        ),
        (
            broken("NetworkInterfaces", 1, NetworkInterfaceId=WEB),
            f"NetworkInterfaces[1].NetworkInterfaceId: {WEB} is that of "
            f"NetworkInterfaces[0] {WEB} already; ids are unique",
        ),
        (
            broken("NetworkInterfaces", 1, MacAddress="0a:3b:5c:00:00:10"),
            f"NetworkInterfaces[1] {DATABASE} MacAddress: 0a:3b:5c:00:00:10 is also that of {WEB}; "
            "each interface has its own",
        ),
        (
            broken("NetworkInterfaces", 0, PrivateIpAddress="10.0.1"),
            f'NetworkInterfaces[0] {WEB} PrivateIpAddress: must be an IPv4 address such as 10.0.0.10, not "10.0.1"',
        ),
        (
            broken("NetworkInterfaces", 0, PrivateIpAddress=10),
            f"NetworkInterfaces[0] {WEB} PrivateIpAddress: must be a string, not 10",
        ),
        (
            broken("NetworkInterfaces", 0, SourceDestCheck="yes"),
            f'NetworkInterfaces[0] {WEB} SourceDestCheck: must be true or false, not "yes"',
        ),
        (
            broken("NetworkInterfaces", 0, Attachment={"DeviceIndex": True}),
            f"NetworkInterfaces[0] {WEB} Attachment.DeviceIndex: must be a whole number of 32 bits, not true",
        ),
        (
            broken("NetworkInterfaces", 0, Attachment={"AttachTime": "yesterday"}),
            f"NetworkInterfaces[0] {WEB} Attachment.AttachTime: must be a time such as 2026-01-31T12:00:00+00:00, not "
            '"yesterday"',
        ),
        (
            broken("NetworkInterfaces", 0, Attachment={"DeviceIndex": 1 << 31}),
            f"NetworkInterfaces[0] {WEB} Attachment.DeviceIndex: must be a whole number of 32 bits, not 2147483648",
        ),
        (
            broken("NetworkInterfaces", 0, Description="\ud800"),
            f'NetworkInterfaces[0] {WEB} Description: has a character that XML cannot carry: "\\ud800"',
        ),
        (
            broken("LoadBalancers", 0, Tags=[{"Key": "a", "Value": "\0"}]),
            f'LoadBalancers[0] {SENSORS} Tags[0].Value: has a character that XML cannot carry: "\\u0000"',
        ),
        (
            broken("NetworkInterfaces", 0, Groups={"GroupId": "sg-1"}),
            f"NetworkInterfaces[0] {WEB} Groups: must be a list, not an object",
        ),
        (
            broken("NetworkInterfaces", 0, OwnerId="12"),
            f'NetworkInterfaces[0] {WEB} OwnerId: must be the twelve digits of an account, not "12"',
        ),
        (
            broken("NetworkInterfaces", 0, OwnerId=None),
            f"NetworkInterfaces[0] {WEB} OwnerId: is missing; "
            "it must be the twelve digits of the account that it belongs to",
        ),
        (
            broken("NetworkInterfaces", 0, TagSet=[{"Value": "web"}]),
            f"NetworkInterfaces[0] {WEB} TagSet[0].Key: is missing; it must be a string",
        ),
        (
            broken("NetworkInterfaces", 3, TagSet=[{"Key": "halfsilver:mtu", "Value": "20"}]),
            f'NetworkInterfaces[3] {CACHE} TagSet[0]: halfsilver:mtu must be a whole number from 576 to 9216, not "20"',
        ),
        (
            broken("NetworkInterfaces", 0, MacAddress=None),
            f"NetworkInterfaces[0] {WEB} MacAddress: is missing; the NIC knows the interface's frames by it",
        ),
        (
            broken("Vpcs", 0, CidrBlock="10.0.0.0/8"),
            "Vpcs[0] vpc-0a1b2c3d4e5f60001 CidrBlock: must be an IPv4 network of /16 to /28, not 10.0.0.0/8",
        ),
        (
            broken("Subnets", 0, SubnetId="net-1"),
            'Subnets[0].SubnetId: must be an id such as subnet-0123456789abcdef0, not "net-1"',
        ),
        (
            broken("Listeners", 0, Port="4789"),
            f'Listeners[0] {SENSORS_LISTENER} Port: must be a whole number of 32 bits, not "4789"',
        ),
        (
            broken("Listeners", 0, ListenerArn=SENSORS),
            "Listeners[0].ListenerArn: must be an ARN such as "
            f'arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/net/NAME/ID, not "{SENSORS[:44]}...',
        ),
        (
            broken("Listeners", 0, LoadBalancerArn=SENSORS + "0"),
            f"Listeners[0] {SENSORS_LISTENER} LoadBalancerArn: "
            f'"{SENSORS[:44]}... is not in LoadBalancers; describe it there',
        ),
        (
            broken("AvailabilityZones", 0, ZoneName="here"),
            'AvailabilityZones[0].ZoneName: must be a zone such as us-east-1a, not "here"',
        ),
        (broken("Accounts", 0, Id="1234"), 'Accounts[0].Id: must be the twelve digits of an account, not "1234"'),
        (
            broken("Accounts", 0, OrganizationId="acme"),
            'Accounts[0].OrganizationId: must be an id such as o-exampleorgid, not "acme"',
        ),
        (
            broken("Accounts", 0, Paths=["ou-ab12-t"]),
            'Accounts[0].Paths[0]: must be a path such as o-exampleorgid/r-root/ou-root-exampleunit/, not "ou-ab12-t"',
        ),
        (
            broken("Accounts", 0, Paths=["o-halfsilver02/r-ab12/"]),
            "Accounts[0].Paths[0]: o-halfsilver02/r-ab12/ is not in the account's organisation o-halfsilver01",
        ),
        (example(Nic={}), "Nic.NetworkInterfaceIds: is missing; it must name the interfaces that the NIC carries"),
        (
            example(Nic={"NetworkInterfaceIds": [WEB, "eni-1"]}),
            "Nic.NetworkInterfaceIds[1]: eni-1 is not in NetworkInterfaces; describe it there",
        ),
        (
            example(Nic={"NetworkInterfaceIds": [5]}),
            "Nic.NetworkInterfaceIds[0]: must be an id such as eni-0123456789abcdef0, not 5",
        ),
        (
            example(TrafficMirrorTargets=[]),
            "TrafficMirrorTargets: is no part of an inventory; filters, targets and sessions are made by clients",
        ),
        (example(LoadBalancers="all", Listeners=None), 'LoadBalancers: must be a list, not "all"'),
        (example(Subnets=[7]), "Subnets[0]: must be an object, not 7"),
        (
            broken("Subnets", 4, AvailabilityZone="eu-west-1a"),
            "the file: has zones and load balancers of eu-west-1, us-east-1; an inventory is of one region",
        ),
    ],
)
def test_each_mistake_has_its_line(documents, line):
    found = lines(documents)
    assert ("lab.json: " + line.removeprefix("lab.json: ")) in found
    assert len(set(found)) == len(found) <= 2  # a missing load balancer is missed by its listener too


def renamed(name, number, former, now):
    """The example with a member of one object under another name."""
    documents = example()
    documents[name][number][now] = documents[name][number].pop(former)
    return documents


@pytest.mark.parametrize(
    ("documents", "line"),
    [
        (example(Listners=[]), "Listners: no describe command prints this; did you mean Listeners?"),
        (example(Whatever=1), "Whatever: no describe command prints this; remove it"),
        (
            example(Nic={"NetworkInterfaceId": [WEB]}),
            "Nic.NetworkInterfaceId: Nic has no such member; did you mean NetworkInterfaceIds?",
        ),
        (example(Nic={"NetworkInterfaceIds": [WEB], "Colour": 1}), "Nic.Colour: Nic has no such member; remove it"),
        (renamed("Accounts", 0, "Id", "ID"), "Accounts[0].ID: AWS's Account has no such member; did you mean Id?"),
        (
            renamed("Subnets", 0, "OwnerId", "OwnrId"),
            "Subnets[0].OwnrId: AWS's Subnet has no such member; did you mean OwnerId?",
        ),
        (
            renamed("Listeners", 0, "Protocol", "Protocl"),
            f"Listeners[0] {SENSORS_LISTENER} Protocl: AWS's Listener has no such member; did you mean Protocol?",
        ),
    ],
)
def test_a_misspelt_key_is_refused_with_the_nearest_known_name(documents, line):
    assert f"lab.json: {line}" in lines(documents)


def test_a_member_that_a_newer_client_prints_is_only_a_warning():
    documents = example()
    documents["NetworkInterfaces"][0]["QuantumState"] = "cat"
    (warning,) = from_documents(documents).warnings
    assert "QuantumState" in str(warning)


def test_all_mistakes_at_once():
    documents = broken("NetworkInterfaces", 0, PrivateIpAddress="x", MacAddress="y", Description=1)
    documents["Subnets"][0]["State"] = False
    documents["Listeners"][1]["Port"] = "x"
    documents["Accounts"][2]["Id"] = "x"
    assert [line.split(": ")[1] for line in lines(documents)] == [
        "Accounts[2].Id",
        "Subnets[0] subnet-0a1b2c3d4e5f60001 State",
        f"NetworkInterfaces[0] {WEB} Description",
        "Listeners[1] " + documents["Listeners"][1]["ListenerArn"] + " Port",
        f"NetworkInterfaces[0] {WEB} PrivateIpAddress",
        f"NetworkInterfaces[0] {WEB} MacAddress",
    ]


def test_a_nic_has_sixteen_interfaces():
    template = example()["NetworkInterfaces"][0]
    many = [
        {**template, "NetworkInterfaceId": f"eni-{number:017x}", "MacAddress": f"0a:00:00:00:00:{number:02x}"}
        for number in range(17)
    ]
    found = lines({"NetworkInterfaces": many})
    assert found == ["lab.json: Nic: would carry 17 interfaces; name at most 16 in NetworkInterfaceIds"]
    names = [each["NetworkInterfaceId"] for each in many]
    assert lines({"NetworkInterfaces": many, "Nic": {"NetworkInterfaceIds": names}}) == found
    assert from_documents({"NetworkInterfaces": many, "Nic": {"NetworkInterfaceIds": names[3:5] * 2}}).nic == (
        *names[3:5],
    )
    assert from_documents({"NetworkInterfaces": many[:16]}).nic == (*names[:16],)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "line 1 column 2: is not JSON"),
        (b'{"Vpcs": [], "Vpcs": []}', 'the key "Vpcs" is there twice'),
        (b"\xff\xfe\x00", "is not utf-"),
    ],
)
def test_files_that_are_no_json(tmp_path, text, message):
    path = tmp_path / "inventory.json"
    path.write_bytes(text)
    with pytest.raises(UsageError) as raised:
        load(path)
    assert message in str(raised.value) and str(raised.value).startswith(str(path))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "inventory.json")


def test_warnings():
    documents = broken("NetworkInterfaces", 9, OwnerId="999999999999")
    documents["NextToken"] = "more"
    found = {warning.where: warning.message for warning in from_documents(documents).warnings}
    assert "more pages" in found["NextToken"]
    assert "999999999999 is not in Accounts" in found[f"NetworkInterfaces[9] {'eni-0a1b2c3d4e5f60103'} OwnerId"]


# What is pasted from real accounts.


def test_output_of_newer_clients_and_of_describe_organisations(tmp_path):
    documents = example()
    documents["NetworkInterfaces"][0]["Novelty"] = {"Of": "2031"}
    documents["ResponseMetadata"] = {"RequestId": "1"}
    documents["Accounts"][0] = {
        "Id": OWNER,
        "Arn": f"arn:aws:organizations::999988887777:account/o-halfsilver01/{OWNER}",
        "Name": "production",
        "Status": "ACTIVE",
        "JoinedTimestamp": 1700000000.0,
    }
    lab = Lab(documents)
    assert "Novelty" not in next(each for each in lab.records("interface") if each.id == WEB).document
    account = next(each for each in lab.records("account") if each.id == OWNER)
    assert account.document["OrganizationId"] == "o-halfsilver01"


def test_the_owner_may_be_left_out_where_there_is_one_account():
    interface = {"NetworkInterfaceId": "eni-1", "MacAddress": "0a:00:00:00:00:01", "PrivateIpAddress": "10.0.0.1"}
    lab = Lab({"Accounts": [{"Id": OWNER}], "NetworkInterfaces": [interface]})
    shown = lab.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert shown == [{**interface, "OwnerId": OWNER, "TagSet": []}]


def test_what_interfaces_name_need_not_be_listed():
    lab = Lab(example(Subnets=None, Vpcs=None, AvailabilityZones=None))
    ec2 = lab.client("ec2")
    subnets = {
        each["SubnetId"]: (each["VpcId"], each["AvailabilityZone"], each["OwnerId"])
        for each in ec2.describe_subnets()["Subnets"]
    }
    assert subnets["subnet-0a1b2c3d4e5f60002"] == ("vpc-0a1b2c3d4e5f60001", "us-east-1b", OWNER)
    assert [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]] == ["vpc-0a1b2c3d4e5f60001"]
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert [(each["ZoneName"], each["RegionName"]) for each in zones] == [
        ("us-east-1a", "us-east-1"),
        ("us-east-1b", "us-east-1"),
    ]


def test_an_instance_has_all_its_interfaces_first_one_first():
    documents = example()
    for index, device in ((0, 1), (1, 0)):
        documents["NetworkInterfaces"][index]["Attachment"] |= {"InstanceId": "i-1", "DeviceIndex": device}
    (reservation,) = Lab(documents).client("ec2").describe_instances(InstanceIds=["i-1"])["Reservations"]
    (instance,) = reservation["Instances"]
    assert instance["PrivateIpAddress"] == "10.0.2.20"
    assert [each["NetworkInterfaceId"] for each in instance["NetworkInterfaces"]] == [DATABASE, WEB]


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


# Anything at all.


def places(value, path=()):
    """Every place in a document."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


PLACES = [path for path in places(example()) if path]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.sampled_from([[], {}, [[]], [{}], ["x"], "eni-1", "10.0.0.1/8", "2026-01-01", OWNER, SENSORS, 1 << 70]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=4))
def test_any_change_of_an_inventory_is_taken_or_refused_in_lines(changes):
    documents = copy.deepcopy(example())
    for path, value in changes:
        place = documents
        for key in path[:-1]:
            try:
                place = place[key]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(place, dict) or (
                isinstance(place, list) and isinstance(path[-1], int) and path[-1] < len(place)
            ):
                place[path[-1]] = value
    try:
        inventory = from_documents(documents)
    except InventoryError as error:
        assert all(line.startswith("inventory.json: ") for line in str(error).splitlines())
        return
    json.dumps([(record.id, record.document, record.tags) for record in inventory.records]).encode("ascii")
    assert len(inventory.nic) <= 16 and len({record.id for record in inventory.records}) == len(inventory.records)


def test_beside_an_upstream_a_file_may_have_accounts_alone():
    """The upstream has the rest."""
    documents = {"Accounts": [{"Id": OWNER}, {"Id": PARTNER}]}
    read = from_documents(documents, may_be_empty=True)
    assert read.accounts == (OWNER, PARTNER) and not read.warnings
    with pytest.raises(InventoryError, match="has no NetworkInterfaces"):
        from_documents(documents)
