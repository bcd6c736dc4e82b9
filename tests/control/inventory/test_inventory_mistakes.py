"""The inventory file: one line for each mistake."""

from __future__ import annotations

import pytest

from halfsilver.harness.control.inventory.inventory_file import InventoryError, from_documents, load
from halfsilver.harness.errors import EXIT_USAGE, UsageError
from tests.control.kits.inventory_kit import CACHE, DATABASE, SENSORS, SENSORS_LISTENER, WEB, broken, example


def lines(documents):
    """The lines of the error for an inventory that has mistakes."""
    with pytest.raises(InventoryError) as raised:
        from_documents(documents, where="lab.json")
    assert raised.value.exit_code == EXIT_USAGE
    return str(raised.value).splitlines()


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
            "the file: has zones and load balancers of eu-west-1, us-east-1; put those of other regions into Regions",
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
