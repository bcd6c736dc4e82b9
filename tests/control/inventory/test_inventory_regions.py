"""An inventory file of several regions: which lists are whose, and what becomes of the store."""

from __future__ import annotations

from typing import Any

import pytest

from halfsilver.harness.control.inventory.inventory_file import InventoryError, from_documents
from halfsilver.harness.control.inventory.regions import of_one_server
from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.control.state.record import Kind
from halfsilver.harness.errors import UsageError
from halfsilver.harness.policy.policy import check
from tests.control.kits.inventory_kit import ABROAD, COLLECTOR, WEB, Lab, abroad, example, there

HOME = "us-east-1"
APART = {"Accounts": example()["Accounts"], "Nic": example()["Nic"]}
LISTS = {name: each for name, each in example().items() if name not in APART}
BOTH = example(Regions={ABROAD: abroad()})


def ids(records: Any, kind: Kind = Kind.INTERFACE) -> list[str]:
    return [each.id for each in records if each.kind == kind]


def lines(documents: Any, **options: Any) -> list[str]:
    with pytest.raises(InventoryError) as raised:
        from_documents(documents, where="lab.json", **options)
    return str(raised.value).splitlines()


def test_the_lists_of_another_region_are_read_as_those_at_the_top() -> None:
    alone, inventory = from_documents(example()), from_documents(BOTH)
    assert (inventory.records, inventory.nic, inventory.region) == (alone.records, alone.nic, HOME)
    assert ids(inventory.others[ABROAD]) == [there(each) for each in ids(alone.records)]
    zones = [each.id for each in alone.records if each.kind == Kind.ZONE]
    assert ids(inventory.others[ABROAD], Kind.ZONE) == [each.replace(HOME, ABROAD) for each in zones]
    assert ids(inventory.others[ABROAD], Kind.ACCOUNT) == []
    assert not any("nic" in each.note for each in inventory.others[ABROAD])


def test_derived_objects_are_of_the_region_of_what_names_them() -> None:
    only = {"NetworkInterfaces": abroad()["NetworkInterfaces"]}
    inventory = from_documents(example(Regions={ABROAD: only}))
    vpcs = {each["VpcId"] for each in only["NetworkInterfaces"]}
    assert set(ids(inventory.others[ABROAD], Kind.VPC)) == vpcs
    assert {each[:-1] for each in ids(inventory.others[ABROAD], Kind.ZONE)} == {ABROAD}


def test_lists_in_regions_alone_are_good_for_a_server_of_each() -> None:
    documents = {**APART, "Regions": {HOME: LISTS, ABROAD: abroad()}}
    here = from_documents(documents, region=HOME)
    assert (here.records, here.nic) == (from_documents(BOTH).records, from_documents(BOTH).nic)
    del documents["Nic"]
    over_there = from_documents(documents, region=ABROAD)
    assert over_there.region == ABROAD and ids(over_there.others[HOME]) == ids(here.records)
    assert over_there.nic == tuple(there(each) for each in from_documents({**documents, **LISTS, "Regions": {}}).nic)
    assert from_documents({**APART, "Regions": {HOME: LISTS}}).records == here.records


def test_a_policy_is_read_from_the_servers_own_lists() -> None:
    documents = {**APART, "Regions": {HOME: LISTS, ABROAD: abroad()}}
    assert of_one_server(documents, HOME) == BOTH
    assert of_one_server(BOTH, HOME) == BOTH and of_one_server(example(), HOME) == example()
    assert [each for each in check(BOTH) if "Regions" in each.where] == []


def within(**members: Any) -> dict[str, Any]:
    return example(Regions={ABROAD: {**abroad(), **members}})


INTERFACE = abroad()["NetworkInterfaces"][0]


@pytest.mark.parametrize(
    ("documents", "line"),
    [
        (example(Region={}), "Region: no describe command prints this; did you mean Regions?"),
        (example(Regions=[abroad()]), "Regions: must be an object, not a list"),
        (example(Regions={"eu-wset-1": abroad()}), "Regions.eu-wset-1: is no region; did you mean eu-west-1?"),
        (example(Regions={"7 of 9": {}}), 'Regions."7 of 9": is no region; did you mean a name such as us-east-1?'),
        (example(Regions={ABROAD: [1]}), "Regions.eu-west-1: must be an object, not a list"),
        (
            example(Regions={HOME: {}}),
            "Regions.us-east-1: is the server's own region, whose lists are at the top; put them in one place",
        ),
        (
            {**APART, "Regions": {HOME: LISTS, ABROAD: abroad()}},
            "Regions: has all lists; say by --region which is the server's own: eu-west-1 or us-east-1",
        ),
        (
            {"Accounts": [{"ID": "111122223333"}], "Regions": {HOME: LISTS}},
            "Accounts[0].ID: AWS's Account has no such member; did you mean Id?",
        ),
        ({"Regions": {HOME: {}}}, "Regions.us-east-1: has no NetworkInterfaces; put what `aws ec2 describe-"),
        (within(Vpc=[]), "Regions.eu-west-1.Vpc: no describe command prints this; did you mean Vpcs?"),
        (within(Nic={}), "Regions.eu-west-1.Nic: is in the server's own region; put it at the top of the file"),
        (within(Accounts=[]), "Regions.eu-west-1.Accounts: are of all regions; put the list at the top of the file"),
        (within(Regions={}), "Regions.eu-west-1.Regions: has no other regions inside; put it at the top of the file"),
        (within(TrafficMirrorFilters=[]), "Regions.eu-west-1.TrafficMirrorFilters: is no part of an inventory"),
        (
            within(NetworkInterfaces=[{**INTERFACE, "PrivateIpAddress": "10.0.1"}]),
            f"Regions.eu-west-1.NetworkInterfaces[0] {there(WEB)} PrivateIpAddress: must be an IPv4 address",
        ),
        (
            within(NetworkInterfaces=[{**INTERFACE, "MacAddress": 7}]),
            f"Regions.eu-west-1.NetworkInterfaces[0] {there(WEB)} MacAddress: must be a string, not 7",
        ),
        (
            within(NetworkInterfaces=[{**INTERFACE, "NetworkInterfaceId": WEB}]),
            f"Regions.eu-west-1.NetworkInterfaces[0].NetworkInterfaceId: {WEB} is that of "
            f"NetworkInterfaces[0] {WEB} already; ids are unique",
        ),
        (
            example(Regions={ABROAD: {"NetworkInterfaces": [{**INTERFACE, "VpcId": "vpc-0a1b2c3d4e5f60001"}]}}),
            "Regions.eu-west-1: names vpc-0a1b2c3d4e5f60001, which is in Vpcs[0] vpc-0a1b2c3d4e5f60001",
        ),
        (
            example(Regions={"eu-west-2": abroad()}),
            "Regions.eu-west-2: has zones and load balancers of eu-west-1, and is eu-west-2's",
        ),
    ],
)
def test_each_mistake_has_its_line(documents: Any, line: str) -> None:
    found = lines(documents)
    assert any(each.startswith(f"lab.json: {line}") for each in found), found


def test_a_warning_says_in_which_region() -> None:
    interface = {**INTERFACE, "Colour": "red"}
    (warning,) = from_documents(within(NetworkInterfaces=[interface])).warnings
    assert warning.where == f"Regions.eu-west-1.NetworkInterfaces[0] {there(WEB)} Colour"


def test_a_server_is_not_of_a_region_that_is_among_the_others() -> None:
    lab = Lab(BOTH)
    lab.settings = Settings(region="eu-central-1")
    with pytest.raises(UsageError, match="the inventory is of region us-east-1 and the server of eu-central-1"):
        lab.synchronize(BOTH)


def test_the_store_has_each_region_by_itself() -> None:
    lab = Lab(BOTH)
    assert lab.synchronize(BOTH) == 0
    with lab.store.begin() as transaction:
        home, other = transaction.of_region(""), transaction.of_region(ABROAD)
        assert home.get(Kind.INTERFACE, WEB) and not other.get(Kind.INTERFACE, WEB)
        assert other.get(Kind.INTERFACE, there(WEB)) and not home.get(Kind.INTERFACE, there(WEB))
    assert lab.synchronize(example()) > 0
    with lab.store.begin() as transaction:
        assert transaction.regions(Kind.INTERFACE) == [""]


def test_an_object_may_move_to_another_region() -> None:
    lab = Lab(BOTH)
    moved = {**abroad(), "NetworkInterfaces": [{**INTERFACE, "NetworkInterfaceId": COLLECTOR}]}
    rest = [each for each in example()["NetworkInterfaces"] if each["NetworkInterfaceId"] != COLLECTOR]
    lab.synchronize(example(NetworkInterfaces=rest, Regions={ABROAD: moved}))
    with lab.store.begin() as transaction:
        assert transaction.of_region(ABROAD).get(Kind.INTERFACE, COLLECTOR)
        assert not transaction.of_region("").get(Kind.INTERFACE, COLLECTOR)
