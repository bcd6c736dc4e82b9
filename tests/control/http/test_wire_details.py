"""Requests that are unusual and right, and answers in their details."""

from __future__ import annotations

from typing import Any

from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError
from tests.control.kits.wire_kit import PEER, FakeControl, exchange, form, ram, read

SESSIONS = {"Action": "DescribeTrafficMirrorSessions"}
TAGS = {"Action": "CreateTags", "ResourceId.1": "tmf-1", "Tag.1.Key": "k", "Tag.1.Value": "v"}
BALANCERS = {"Action": "DescribeLoadBalancers"}


def parameters(request: Request) -> Any:
    control = FakeControl()
    response = exchange(control).answer(request, PEER)
    assert response.status == 200, response.body
    return control.calls[0].parameters


def test_list_numbers_may_have_gaps_and_come_in_any_order() -> None:
    fields = {"Action": "CreateTags", "ResourceId.10": "c", "ResourceId.9": "b", "ResourceId.2": "a", "Tag.3.Key": "k"}
    assert parameters(form(fields)) == {"Resources": ["a", "b", "c"], "Tags": [{"Key": "k"}]}


def test_an_empty_list_as_go_clients_write_it() -> None:
    assert parameters(form({**BALANCERS, "Names": ""}, scope="elasticloadbalancing")) == {"Names": []}
    assert parameters(form({**SESSIONS, "Filter": ""})) == {}


def test_a_presigned_request_has_all_in_its_query_string() -> None:
    scope = "AKIAEXAMPLE%2F20261120%2Fus-east-1%2Fsts%2Faws4_request"
    query = (
        f"Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}"
        "&X-Amz-Date=20261120T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
    )
    assert parameters(Request("GET", "/", query)) == {}
    control = FakeControl()
    exchange(control).answer(Request("GET", "/", query), PEER)
    assert control.calls[0].service == "sts"


def test_null_in_json_is_a_member_that_is_not_there() -> None:
    body = {"resourceOwner": "SELF", "maxResults": None}
    assert parameters(ram("/getresourceshares", body)) == {"resourceOwner": "SELF"}


def test_members_without_a_value_are_left_out_of_an_answer() -> None:
    session = {"TrafficMirrorSessionId": "tms-1", "PacketLength": None, "Tags": [], "FromANewerModel": 5}
    body = exchange(FakeControl({"TrafficMirrorSessions": [session]})).answer(form(SESSIONS), PEER).body.decode()
    assert (
        "<trafficMirrorSessionSet><item><trafficMirrorSessionId>tms-1</trafficMirrorSessionId><tagSet></tagSet>"
        "</item></trafficMirrorSessionSet>"
    ) in body
    assert body.startswith(
        '<?xml version="1.0" encoding="UTF-8"?>\n<DescribeTrafficMirrorSessionsResponse '
        'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>'
    )


def test_an_ec2_operation_without_a_result_says_true() -> None:
    body = exchange(FakeControl()).answer(form(TAGS), PEER).body.decode()
    assert "</requestId><return>true</return></CreateTagsResponse>" in body


def test_characters_that_xml_cannot_carry_are_left_out_of_an_answer() -> None:
    error = ApiError("InvalidParameterValue", "a\0b\x1bc\ud800d\ufffee")
    response = exchange(FakeControl(error)).answer(form(SESSIONS), PEER)
    assert read(response, "ec2")[2] == "abcde"
    result = {"TrafficMirrorSessions": [{"Description": "x\x00y\x0bz"}]}
    assert b"<description>xyz</description>" in exchange(FakeControl(result)).answer(form(SESSIONS), PEER).body
