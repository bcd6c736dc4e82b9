"""The inventory file: what is read, what is only warned of, and that anything else is refused in lines."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsilver.harness.control.inventory.inventory_file import InventoryError, from_documents, load
from tests.control.kits.inventory_kit import (
    APPLICATION,
    BATCH,
    CACHE,
    DATABASE,
    EXAMPLE,
    OWNER,
    PARTNER,
    SENSORS,
    WEB,
    Lab,
    broken,
    example,
)


def test_the_example():
    inventory = load(EXAMPLE)
    assert inventory.nic == (WEB, DATABASE, BATCH, CACHE, "eni-0a1b2c3d4e5f60050", APPLICATION)
    assert (inventory.region, inventory.warnings) == ("us-east-1", ())


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
