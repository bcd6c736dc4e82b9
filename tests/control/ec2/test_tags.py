"""CreateTags, DeleteTags, DescribeTags and tags at creation."""

from __future__ import annotations

import pytest

from tests.control.kits.inventory_kit import APPLICATION, BATCH, ENDPOINT, PARTNER, WEB
from tests.control.kits.mirror_kit import Desk, refusal

VPC, SUBNET, INSTANCE = "vpc-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60001", "i-0a1b2c3d4e5f60010"


@pytest.fixture
def desk():
    return Desk()


def pairs(**tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag(desk, *resources, **tags):
    desk.call("CreateTags", Resources=list(resources), Tags=pairs(**tags))


def tags_of(desk, resource, **parameters):
    found = desk.call("DescribeTags", Filters=[{"Name": "resource-id", "Values": [resource]}], **parameters)["Tags"]
    return {each["Key"]: each["Value"] for each in found}


def test_tags_come_go_and_are_listed(desk):
    ec2, filter_id = desk.client("ec2"), desk.filter()
    created = ec2.create_tags(Resources=[filter_id, BATCH], Tags=[{"Key": "Name", "Value": "é&<"}, {"Key": "empty"}])
    assert set(created) == {"ResponseMetadata"}
    assert desk.show("Filter", filter_id)["Tags"] == pairs(Name="é&<", empty="")
    interface = ec2.describe_network_interfaces(NetworkInterfaceIds=[BATCH])["NetworkInterfaces"][0]
    assert interface["TagSet"] == pairs(Name="é&<", empty="")
    listed = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [filter_id]}])["Tags"]
    assert listed == [
        {"Key": "Name", "ResourceId": filter_id, "ResourceType": "traffic-mirror-filter", "Value": "é&<"},
        {"Key": "empty", "ResourceId": filter_id, "ResourceType": "traffic-mirror-filter", "Value": ""},
    ]
    ec2.delete_tags(Resources=[filter_id, BATCH], Tags=[{"Key": "Name"}])
    assert tags_of(desk, filter_id) == tags_of(desk, BATCH) == {"empty": ""}


def test_a_key_that_is_there_gets_the_new_value_and_keeps_its_place(desk):
    filter_id = desk.filter()
    tag(desk, filter_id, b="1", a="1")
    tag(desk, filter_id, c="2", b="2")
    assert desk.show("Filter", filter_id)["Tags"] == pairs(b="2", a="1", c="2")


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ([{"Key": "a"}], {"b": "", "c": "3"}),
        ([{"Key": "a", "Value": ""}], {"a": "1", "b": "", "c": "3"}),
        ([{"Key": "b", "Value": ""}], {"a": "1", "c": "3"}),
        ([{"Key": "a", "Value": "2"}, {"Key": "c", "Value": "3"}], {"a": "1", "b": ""}),
        ([{"Key": "A"}, {"Key": "unknown"}], {"a": "1", "b": "", "c": "3"}),
        (None, {}),
        ([], {}),
    ],
)
def test_deleting_by_key_by_value_and_all(desk, wanted, left):
    filter_id = desk.filter()
    tag(desk, filter_id, a="1", b="", c="3")
    desk.call("DeleteTags", Resources=[filter_id], **({} if wanted is None else {"Tags": wanted}))
    assert tags_of(desk, filter_id) == left


def test_all_kinds_of_resources(desk):
    filter_id = desk.filter()
    rule_id, target_id = desk.rule(filter_id), desk.target()
    types = {
        filter_id: "traffic-mirror-filter",
        rule_id: "traffic-mirror-filter-rule",
        target_id: "traffic-mirror-target",
        desk.session(filter_id, target_id): "traffic-mirror-session",
        WEB: "network-interface",
        VPC: "vpc",
        SUBNET: "subnet",
        INSTANCE: "instance",
        ENDPOINT: "vpc-endpoint",
    }
    tag(desk, *types, mark="x")
    found = desk.call("DescribeTags", Filters=[{"Name": "key", "Values": ["mark"]}])["Tags"]
    assert {each["ResourceId"]: each["ResourceType"] for each in found} == types
    assert desk.show("FilterRule", rule_id)["Tags"] == pairs(mark="x")


def test_resources_that_are_not_there_or_not_ones_own(desk):
    foreign = desk.filter(account=PARTNER)
    for resource, code in (
        (foreign, "InvalidTrafficMirrorFilterId.NotFound"),
        ("tmfr-1", "InvalidTrafficMirrorFilterRuleId.NotFound"),
        ("tms-1", "InvalidTrafficMirrorSessionId.NotFound"),
        ("tmt-1", "InvalidTrafficMirrorTargetId.NotFound"),
        (APPLICATION, "InvalidNetworkInterfaceID.NotFound"),
        ("i-1", "InvalidInstanceID.NotFound"),
        ("vpc-1", "InvalidVpcID.NotFound"),
        ("subnet-1", "InvalidSubnetID.NotFound"),
        ("vpce-1", "InvalidVpcEndpointId.NotFound"),
        ("us-east-1a", "InvalidID"),
        ("x", "InvalidID"),
    ):
        for operation in ("CreateTags", "DeleteTags"):
            with refusal(code, resource):
                desk.call(operation, Resources=[WEB, resource], Tags=pairs(new="x"))
    assert "new" not in tags_of(desk, WEB)
    for operation in ("CreateTags", "DeleteTags"):
        with refusal("MissingParameter", "Resources"):
            desk.call(operation, Tags=pairs(a="b"))
        with refusal("InvalidParameterValue", "1000"):
            desk.call(operation, Resources=[f"tmf-{index}" for index in range(1001)], Tags=pairs(a="b"))
    with refusal("MissingParameter", "Tags"):
        desk.call("CreateTags", Resources=[WEB])


@pytest.mark.parametrize(
    ("tags", "code", "message"),
    [
        ([{"Key": ""}], "InvalidTagKey.Malformed", "empty"),
        ([{"Value": "x"}], "InvalidTagKey.Malformed", "empty"),
        ([{"Key": "aws:x", "Value": ""}], "InvalidParameterValue", "reserved"),
        ([{"Key": "AWS:x", "Value": ""}], "InvalidParameterValue", "reserved"),
        ([{"Key": "k" * 128}], "InvalidParameterValue", "127"),
        ([{"Key": "k", "Value": "v" * 257}], "InvalidParameterValue", "256"),
        ([{"Key": "k\x00"}], "InvalidParameterValue", "Tag.Key"),
        ([{"Key": "k", "Value": "\ud800"}], "InvalidParameterValue", "Tag.Value"),
        ([{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}], "InvalidParameterValue", "Duplicate tag key 'k'"),
        ([{"Key": f"k{index}"} for index in range(51)], "TagLimitExceeded", "50"),
        ([{"Key": "halfsilver:unknown", "Value": "1"}], "InvalidParameterValue", "halfsilver:unknown"),
    ],
)
def test_tags_that_cannot_be(desk, tags, code, message):
    filter_id = desk.filter()
    with refusal(code, message):
        desk.call("CreateTags", Resources=[filter_id], Tags=tags)
    with refusal(code, message):
        desk.filter(TagSpecifications=[{"ResourceType": "traffic-mirror-filter", "Tags": tags}])
    assert desk.show("Filter", filter_id)["Tags"] == []
    assert len(desk.describe("Filters")) == 1


def test_the_longest_tags_and_the_most(desk):
    filter_id = desk.filter()
    tag(desk, filter_id, **{"ä" * 127: "ö" * 256})
    tag(desk, filter_id, **{f"k{index}": "" for index in range(49)})
    with refusal("TagLimitExceeded"):
        tag(desk, filter_id, one_more="")
    tag(desk, filter_id, k0="changed")
    assert len(tags_of(desk, filter_id)) == 50


@pytest.mark.parametrize(
    ("key", "value", "good"),
    [
        ("halfsilver:mtu", "1500", True),
        ("halfsilver:mtu", "9216", True),
        ("halfsilver:mtu", "575", False),
        ("halfsilver:mtu", "", False),
        ("halfsilver:resolver", "10.0.0.2", True),
        ("halfsilver:resolver", "10.0.0", False),
        ("halfsilver:mtuu", "1500", False),
    ],
)
def test_tags_of_this_project_on_an_interface(desk, key, value, good):
    if good:
        tag(desk, WEB, **{key: value})
        assert tags_of(desk, WEB)[key] == value
    else:
        with refusal("InvalidParameterValue", key):
            tag(desk, WEB, **{key: value})
        assert key not in tags_of(desk, WEB)
    with refusal("InvalidParameterValue", key):
        tag(desk, desk.filter(), **{key: value})


CREATES = {
    "filter": lambda desk, **parameters: desk.filter(**parameters),
    "filter-rule": lambda desk, **parameters: desk.rule(desk.filter(), **parameters),
    "target": lambda desk, **parameters: desk.target(**parameters),
    "session": lambda desk, **parameters: desk.session(desk.filter(), desk.target(), **parameters),
}


@pytest.mark.parametrize("kind", CREATES)
def test_tag_specifications(desk, kind):
    create = CREATES[kind]

    def specification(resource_type, *tags):
        return {"ResourceType": resource_type, "Tags": list(tags)}

    right = f"traffic-mirror-{kind}"
    good = specification(right, {"Key": "a", "Value": "b"})
    assert tags_of(desk, create(desk, TagSpecifications=[good])) == {"a": "b"}
    other = Desk()
    for wrong, message in (
        ([specification("instance", {"Key": "a"})], "'instance' is not a valid taggable resource"),
        ([specification(None, {"Key": "a"})], "must have a value"),
        ([specification(right)], "at least one tag"),
        ([good, good], "more than once"),
    ):
        with refusal("InvalidParameterValue", message):
            create(other, TagSpecifications=wrong)
    for what in ("FilterRules", "Sessions"):
        assert other.describe(what) == []


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ([("key", "Name")], {("Name", "one"), ("Name", "two")}),
        ([("key", "N*"), ("value", "two")], {("Name", "two")}),
        ([("value", "")], {("stage", "")}),
        ([("tag:Name", "one")], {("Name", "one")}),
        ([("resource-type", "traffic-mirror-target")], {("Name", "two")}),
        ([("resource-id", "tmf-*")], {("Name", "one"), ("stage", "")}),
        ([("tag-key", "stage")], {("stage", "")}),
    ],
)
def test_filters_of_tags(desk, filters, wanted):
    tag(desk, desk.filter(), Name="one", stage="")
    tag(desk, desk.target(), Name="two")
    written = [{"Name": name, "Values": [value]} for name, value in filters]
    written.append({"Name": "resource-id", "Values": ["tmf-*", "tmt-*"]})
    found = desk.call("DescribeTags", Filters=written)["Tags"]
    assert {(each["Key"], each["Value"]) for each in found} == wanted
    assert desk.call("DescribeTags", Filters=written, account=PARTNER)["Tags"] == []
    with refusal("InvalidParameterValue", "The filter 'name' is invalid"):
        desk.call("DescribeTags", Filters=[{"Name": "name", "Values": ["x"]}])


def test_pages_of_tags_break_inside_a_resource(desk):
    wanted = []
    for number in range(3):
        filter_id = desk.filter()
        tag(desk, filter_id, **{f"k{index}": str(number) for index in range(4)})
        wanted += [(filter_id, f"k{index}") for index in range(4)]
    ours = [{"Name": "resource-type", "Values": ["traffic-mirror-filter"]}]
    token, pages = {}, []
    while True:
        result = desk.call("DescribeTags", Filters=ours, MaxResults=5, **token)
        pages.append([(each["ResourceId"], each["Key"]) for each in result["Tags"]])
        if "NextToken" not in result:
            break
        token = {"NextToken": result["NextToken"]}
    assert pages == [wanted[:5], wanted[5:10], wanted[10:]]
    with refusal("InvalidNextToken"):
        desk.call("DescribeTags", MaxResults=5, NextToken=token["NextToken"])
    with refusal("InvalidParameterValue", "MaxResults"):
        desk.call("DescribeTags", MaxResults=4)
