"""elbv2 through boto3: load balancers and listeners by name, ARN and page, in that service's own errors."""

from __future__ import annotations

import copy

import pytest

from tests.control.kits.inventory_kit import OWNER, PARTNER, SENSORS, SENSORS_LISTENER, WEBSHOP, Lab, example, refused

NOBODY = SENSORS.replace("sensors", "nobody")


@pytest.fixture(scope="module")
def lab():
    return Lab()


@pytest.fixture(scope="module")
def elbv2(lab):
    return lab.client("elbv2")


def arns(answer):
    return [each["LoadBalancerArn"] for each in answer["LoadBalancers"]]


def test_load_balancers_of_the_account(lab, elbv2):
    assert arns(elbv2.describe_load_balancers()) == [SENSORS, WEBSHOP]
    assert lab.client("elbv2", PARTNER).describe_load_balancers()["LoadBalancers"] == []


def test_a_load_balancer_is_shown_as_the_file_has_it(elbv2):
    (shown,) = elbv2.describe_load_balancers(Names=["sensors"])["LoadBalancers"]
    written = copy.deepcopy(example()["LoadBalancers"][0])
    assert shown.pop("CreatedTime").isoformat() == written.pop("CreatedTime")
    assert shown == written
    assert shown["AvailabilityZones"][0]["LoadBalancerAddresses"] == [{"PrivateIPv4Address": "10.0.3.60"}]


def test_by_names_and_by_arns(elbv2):
    assert arns(elbv2.describe_load_balancers(Names=["webshop", "sensors"])) == [SENSORS, WEBSHOP]
    assert arns(elbv2.describe_load_balancers(LoadBalancerArns=[WEBSHOP])) == [WEBSHOP]
    with refused("LoadBalancerNotFound", "Load balancers '[nobody]' not found"):
        elbv2.describe_load_balancers(Names=["sensors", "nobody"])
    with refused("LoadBalancerNotFound", f"Load balancers '[{NOBODY}]' not found"):
        elbv2.describe_load_balancers(LoadBalancerArns=[NOBODY])
    with refused("ValidationError"):
        elbv2.describe_load_balancers(Names=["sensors"], LoadBalancerArns=[SENSORS])


@pytest.mark.parametrize(
    "wrong", ["sensors", SENSORS.replace("us-east-1", "eu-west-1"), SENSORS.replace(OWNER, PARTNER), SENSORS_LISTENER]
)
def test_what_is_no_arn_of_a_load_balancer_here(elbv2, wrong):
    with refused("ValidationError", f"'{wrong}' is not a valid load balancer ARN"):
        elbv2.describe_load_balancers(LoadBalancerArns=[wrong])
    with refused("ValidationError", f"'{wrong}' is not a valid load balancer ARN"):
        elbv2.describe_listeners(LoadBalancerArn=wrong)


def test_the_exception_that_boto3_models(elbv2):
    with pytest.raises(elbv2.exceptions.LoadBalancerNotFoundException):
        elbv2.describe_load_balancers(Names=["nobody"])
    with pytest.raises(elbv2.exceptions.ListenerNotFoundException):
        elbv2.describe_listeners(ListenerArns=[SENSORS_LISTENER[:-1] + "3"])


def test_pages():
    documents = example()
    template = documents["LoadBalancers"][0]
    for number in range(23):
        name = f"more{number:02d}"
        documents["LoadBalancers"].append(
            {**template, "LoadBalancerName": name, "LoadBalancerArn": SENSORS.replace("sensors", name)}
        )
    elbv2 = Lab(documents).client("elbv2")
    pages = list(elbv2.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 10}))
    assert [len(page["LoadBalancers"]) for page in pages] == [10, 10, 5]
    assert len({arn for page in pages for arn in arns(page)}) == 25
    assert "NextMarker" not in pages[-1]
    with refused("ValidationError", "Marker"):
        elbv2.describe_load_balancers(Marker="abc")
    with refused("ValidationError"):
        elbv2.describe_load_balancers(Names=["sensors"], Marker=pages[0]["NextMarker"])
    for wrong in (0, 401):
        with refused("ValidationError"):
            elbv2.describe_load_balancers(PageSize=wrong)


def test_listeners(elbv2):
    (listener,) = elbv2.describe_listeners(LoadBalancerArn=SENSORS)["Listeners"]
    assert (listener["ListenerArn"], listener["Protocol"], listener["Port"]) == (SENSORS_LISTENER, "UDP", 4789)
    assert listener["DefaultActions"][0]["Type"] == "forward"
    assert elbv2.describe_listeners(ListenerArns=[SENSORS_LISTENER, SENSORS_LISTENER])["Listeners"] == [listener]
    assert [each["Port"] for each in elbv2.describe_listeners(LoadBalancerArn=WEBSHOP)["Listeners"]] == [443]
    with refused("LoadBalancerNotFound", f"Load balancer '{NOBODY}' not found"):
        elbv2.describe_listeners(LoadBalancerArn=NOBODY)
    with refused("ListenerNotFound", "One or more listeners not found"):
        elbv2.describe_listeners(ListenerArns=[SENSORS_LISTENER, SENSORS_LISTENER[:-1] + "3"])
    with refused("ValidationError", "is not a valid listener ARN"):
        elbv2.describe_listeners(ListenerArns=[SENSORS])
    for both in ({}, {"LoadBalancerArn": SENSORS, "ListenerArns": [SENSORS_LISTENER]}):
        with refused("ValidationError", "You must specify either listener ARNs or a load balancer ARN"):
            elbv2.describe_listeners(**both)


def test_tags_and_attributes_that_terraform_reads():
    documents = example()
    documents["LoadBalancers"][0]["Tags"] = [{"Key": "team", "Value": "net"}]
    lab = Lab(documents)
    elbv2 = lab.client("elbv2")
    found = elbv2.describe_tags(ResourceArns=[SENSORS, SENSORS_LISTENER])["TagDescriptions"]
    assert found == [
        {"ResourceArn": SENSORS, "Tags": [{"Key": "team", "Value": "net"}]},
        {"ResourceArn": SENSORS_LISTENER, "Tags": []},
    ]
    attributes = elbv2.describe_load_balancer_attributes(LoadBalancerArn=SENSORS)["Attributes"]
    assert {"Key": "deletion_protection.enabled", "Value": "false"} in attributes
    for wrong, code in (
        (NOBODY, "LoadBalancerNotFound"),
        (SENSORS_LISTENER + "0", "ListenerNotFound"),
        (SENSORS.replace("loadbalancer", "rule"), "ValidationError"),
        ("x", "ValidationError"),
    ):
        with refused(code):
            elbv2.describe_tags(ResourceArns=[wrong])
    with refused("ValidationError"):
        lab.client("elbv2", PARTNER).describe_tags(ResourceArns=[SENSORS])
    with refused("ValidationError"):
        elbv2.describe_tags(ResourceArns=[f"{SENSORS}{number}" for number in range(21)])
