"""The console's forms as plain HTTP has them: their proof, their bodies, and that they do what the API does."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from tests.console.console_kit import EVIL, Client, csrf, key_of, sign_in, user
from tests.control.kits.serve_kit import COLLECTOR, WEB, make_filter, make_session, make_target
from tests.control.kits.server_kit import Cloud


@pytest.mark.parametrize("proof", [{}, {"csrf": ""}, {"csrf": "A" * 43}], ids=["none", "empty", "wrong"])
def test_a_form_without_its_proof_does_nothing(owner: Client, ec2: Any, proof: dict[str, str]):
    form = {"NetworkInterfaceId": COLLECTOR, **proof}
    answer = owner.post("/console/targets/create", form)
    assert answer.status == 403 and "AccessDenied" in answer.text
    assert ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"] == []


def test_the_proof_of_another_sign_in_does_nothing(cloud: Cloud, owner: Client):
    other = sign_in(cloud.url, key_of(cloud.server))
    assert owner.post("/console/sign-out", {"csrf": csrf(other)}).status == 403
    assert owner.get("/console/").status == 200


def test_another_web_page_does_nothing_even_with_the_proof(owner: Client, ec2: Any):
    form = {"NetworkInterfaceId": COLLECTOR, "csrf": csrf(owner)}
    for origin in ("http://evil.example", "null", f"{owner.url}.evil.example"):
        assert owner.post("/console/targets/create", form, origin=origin).status == 403
    assert owner.post("/console/targets/create", form, origin=owner.url).status == 303


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"csrf=x", 415),
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"--x--", 400),
        ("multipart/form-data; boundary=x", b"--y\r\n", 400),
        ("application/x-www-form-urlencoded", b"a=1&a=2", 400),
        ("application/x-www-form-urlencoded", b"a=%ff", 400),
        ("application/x-www-form-urlencoded", b"\xff", 400),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=" % n for n in range(1001)), 400),
        ("application/x-www-form-urlencoded", b"a" * (1 << 20) + b"=1", 413),
    ],
)
def test_a_body_that_is_no_form_is_refused(owner: Client, kind: str, body: bytes, status: int):
    answer = owner.post("/console/targets/create", body, **{"content-type": kind})
    assert answer.status == status, answer.text


def test_a_page_takes_its_methods_alone(owner: Client):
    assert owner.send("DELETE", "/console/targets", None, {}).status == 405
    assert owner.send("PUT", "/console/sign-in", b"", {}).status == 405
    assert owner.post("/console/targets", {"csrf": csrf(owner)}).status == 405
    assert (owner.send("HEAD", "/console/targets", None, {}).status, owner.get("/console/sign-out").status) == (
        200,
        404,
    )


def test_what_is_made_here_is_the_apis(owner: Client, ec2: Any):
    form = {"Name": EVIL, "Description": "from the page", "NetworkInterfaceId": COLLECTOR, "Key.1": "k", "Value.1": "v"}
    answer = owner.submit("/console/targets/create", form)
    assert answer.status == 303 and answer.location.endswith("?done=created")
    target = ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"][0]
    assert (target["NetworkInterfaceId"], target["Description"]) == (COLLECTOR, "from the page")
    assert target["Tags"] == [{"Key": "Name", "Value": EVIL}, {"Key": "k", "Value": "v"}]
    for path in (answer.location, "/console/targets", "/console/sessions/create"):
        page = owner.get(path)
        assert page.status == 200 and "<script>alert" not in page.text and "&lt;script&gt;alert(1)" in page.text
    assert "Created." in owner.get(answer.location).text
    assert owner.get("/console/?done=<b>").text.count("<b>") == 0


def test_a_filter_gets_rules_that_are_modified_and_deleted(owner: Client, ec2: Any):
    made = owner.submit("/console/filters/create", {"Description": "web", "AmazonDns": "yes"})
    page = made.location.partition("?")[0]

    def rules(name: str = "IngressFilterRules") -> list[Any]:
        (found,) = ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"]
        assert found["NetworkServices"] == ["amazon-dns"] and found["Description"] == "web"
        return [
            {key: rule.get(key) for key in ("RuleNumber", "Protocol", "DestinationPortRange")} for rule in found[name]
        ]

    rule = {
        "TrafficDirection": "ingress",
        "RuleNumber": "10",
        "RuleAction": "accept",
        "Protocol": "6",
        "SourceCidrBlock": "0.0.0.0/0",
        "DestinationCidrBlock": "0.0.0.0/0",
        "DestinationPortRange": "80-90",
    }
    assert owner.submit(f"{page}/rules/create", rule).status == 303
    assert rules() == [{"RuleNumber": 10, "Protocol": 6, "DestinationPortRange": {"FromPort": 80, "ToPort": 90}}]
    assert owner.submit(f"{page}/rules/create", {**rule, "TrafficDirection": "egress"}).status == 303
    (path,) = set(re.findall(r'href="([^"]+/rules/[^"]+/modify)"', owner.get(page).text.partition("Outbound rules")[0]))
    form = {"TrafficDirection": "ingress", "RuleAction": "accept"}  # what a browser's lists send
    assert owner.submit(path, {**form, "RuleNumber": "20", "Protocol": "", "DestinationPortRange": ""}).status == 303
    assert rules() == [{"RuleNumber": 20, "Protocol": None, "DestinationPortRange": None}]
    answer = owner.submit(path.replace("/modify", "/delete"), {"confirm": "delete"})
    assert answer.location == f"{page}?done=deleted"
    assert rules() == [] and len(rules("EgressFilterRules")) == 1


def test_a_session_is_made_modified_and_deleted(owner: Client, ec2: Any):
    target, filter_id = make_target(ec2), make_filter(ec2, 80)
    form = {
        "NetworkInterfaceId": WEB,
        "TrafficMirrorTargetId": target,
        "TrafficMirrorFilterId": filter_id,
        "SessionNumber": "3",
        "VirtualNetworkId": "77",
        "PacketLength": "100",
    }
    made = owner.submit("/console/sessions/create", form)
    page = made.location.partition("?")[0]
    assert "active" in owner.get(page).text
    changed = {**form, "SessionNumber": "4", "PacketLength": "", "VirtualNetworkId": "77", "Description": "later"}
    del changed["NetworkInterfaceId"]
    assert owner.submit(f"{page}/modify", changed).location == f"{page}?done=modified"
    (session,) = ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    assert (session["SessionNumber"], session["VirtualNetworkId"], session["Description"]) == (4, 77, "later")
    assert "PacketLength" not in session
    refused = owner.submit(f"/console/filters/{filter_id}/delete", {"confirm": "delete"})
    assert refused.status == 400 and "TrafficMirrorFilterInUse" in refused.text
    assert owner.submit(f"{page}/delete", {"confirm": "delete"}).location == "/console/sessions?done=deleted"
    assert ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []


def test_what_another_tab_changed_stays(owner: Client, ec2: Any):
    filter_id = make_filter(ec2, 80)
    (rule,) = ec2.describe_traffic_mirror_filter_rules(TrafficMirrorFilterId=filter_id)["TrafficMirrorFilterRules"]
    made = ec2.create_traffic_mirror_session(
        NetworkInterfaceId=WEB,
        TrafficMirrorTargetId=make_target(ec2),
        TrafficMirrorFilterId=filter_id,
        SessionNumber=1,
        Description="before",
    )
    session_id, rule_id = made["TrafficMirrorSession"]["TrafficMirrorSessionId"], rule["TrafficMirrorFilterRuleId"]
    pages = (f"/console/filters/{filter_id}/rules/{rule_id}/modify", f"/console/sessions/{session_id}/modify")
    stale = [owner.get(path).inputs for path in pages]
    ports = {"FromPort": 443, "ToPort": 443}
    ec2.modify_traffic_mirror_filter_rule(TrafficMirrorFilterRuleId=rule_id, DestinationPortRange=ports)
    ec2.modify_traffic_mirror_session(TrafficMirrorSessionId=session_id, PacketLength=100)
    assert owner.post(pages[0], {**stale[0], "Description": "stale"}).status == 303
    assert owner.post(pages[1], {**stale[1], "SessionNumber": "2", "Description": ""}).status == 303
    (rule,) = ec2.describe_traffic_mirror_filter_rules(TrafficMirrorFilterId=filter_id)["TrafficMirrorFilterRules"]
    assert (rule["DestinationPortRange"], rule["Description"]) == (ports, "stale")
    (session,) = ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    assert (session["PacketLength"], session["SessionNumber"], session.get("Description")) == (100, 2, None)


def test_a_form_that_is_sent_twice_makes_one_thing(owner: Client, ec2: Any):
    form = owner.get("/console/filters/create").inputs
    assert len({owner.post("/console/filters/create", form).location for _ in range(2)}) == 1
    assert len(ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"]) == 1
    changed = owner.post("/console/filters/create", {**form, "Description": "another"})
    assert changed.status == 400 and "IdempotentParameterMismatch" in changed.text
    assert owner.post("/console/filters/create", changed.inputs).status == 303, "a page to go back to is no dead end"
    assert len(ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"]) == 2


@pytest.mark.parametrize("word", ["", "Delete", "yes"])
def test_nothing_is_deleted_without_the_word(owner: Client, ec2: Any, word: str):
    target = make_target(ec2)
    answer = owner.submit(f"/console/targets/{target}/delete", {"confirm": word})
    assert answer.status == 400 and "Enter the word delete" in answer.text
    assert len(ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"]) == 1


def test_tags_are_added_changed_and_removed(owner: Client, ec2: Any):
    filter_id = make_filter(ec2)
    ec2.create_tags(Resources=[filter_id], Tags=[{"Key": key, "Value": key.upper()} for key in "abc"])
    form = {"Present.1": "changed", "Remove.2": "yes", "Key.1": "new", "Value.1": EVIL}
    assert owner.submit(f"/console/filters/{filter_id}/tags", form).status == 303
    (found,) = ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"]
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == {"a": "changed", "c": "C", "new": EVIL}
    refused = owner.submit(f"/console/filters/{filter_id}/tags", {"Key.1": "aws:x", "Remove.1": "yes"})
    assert refused.status == 400 and "InvalidParameterValue" in refused.text
    assert len(ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"][0]["Tags"]) == 3


def test_a_refusal_has_the_apis_words_and_keeps_what_was_written(owner: Client, ec2: Any):
    with pytest.raises(ec2.exceptions.ClientError) as refused:
        ec2.create_traffic_mirror_target(NetworkInterfaceId="eni-nowhere", Description="kept")
    error = refused.value.response["Error"]
    answer = owner.submit("/console/targets/create", {"NetworkInterfaceId": "eni-nowhere", "Description": "kept"})
    assert answer.status == 400
    assert f"<strong>{error['Code']}</strong> {error['Message']}" in unescape(answer.text)
    assert answer.inputs["Description"] == "kept"
    number = owner.submit("/console/filters/create", {"Description": "x" * 300})
    assert number.status == 400 and "InvalidParameterValue" in number.text


def test_a_reader_reads_and_does_nothing_else(cloud: Cloud, owner: Client, ec2: Any):
    target, filter_id = make_target(ec2), make_filter(ec2, 80)
    session = make_session(ec2, filter_id, target)
    reader = user(cloud, "reader", "ec2:Describe*")
    before = cloud.everything()
    for path in ("", "targets", f"targets/{target}", f"filters/{filter_id}", f"sessions/{session}", "sessions/create"):
        assert reader.get(f"/console/{path}").status == 200
    attempts = {
        "targets/create": {"NetworkInterfaceId": COLLECTOR},
        "filters/create": {},
        f"targets/{target}/delete": {"confirm": "delete"},
        f"filters/{filter_id}/delete": {"confirm": "delete"},
        f"filters/{filter_id}/tags": {"Key.1": "a", "Value.1": "b"},
        f"sessions/{session}/delete": {"confirm": "delete"},
        f"sessions/{session}/modify": {"SessionNumber": "9"},
    }
    for path, form in attempts.items():
        answer = reader.submit(f"/console/{path}", form)
        assert answer.status == 403 and "UnauthorizedOperation" in answer.text, path
        assert "user/reader is not authorized to perform: ec2:" in answer.text
    services = {"csrf": csrf(reader), "add": "amazon-dns"}
    assert reader.post(f"/console/filters/{filter_id}/network-services", services).status == 403
    assert cloud.everything() == before


def test_who_may_not_describe_sessions_has_them_from_no_page(cloud: Cloud, owner: Client, ec2: Any):
    session = make_session(ec2, make_filter(ec2, 80), make_target(ec2))
    assert session in owner.get("/console/").text
    answer = user(cloud, "targets-only", "ec2:DescribeTrafficMirrorTargets").get("/console/")
    assert answer.status == 200 and session not in answer.text and WEB not in answer.text
    assert "do not allow <code>ec2:DescribeTrafficMirrorSessions" in answer.text


def test_another_account_sees_and_changes_nothing(cloud: Cloud, owner: Client, ec2: Any):
    target = make_target(ec2)
    stranger = sign_in(cloud.url, cloud.keys["444455556666", "admin"])
    assert target not in stranger.get("/console/targets").text
    assert "InvalidTrafficMirrorTargetId.NotFound" in stranger.get(f"/console/targets/{target}").text
    answer = stranger.post(f"/console/targets/{target}/delete", {"csrf": csrf(stranger), "confirm": "delete"})
    assert answer.status == 400 and len(ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"]) == 1


def test_a_session_that_stopped_says_why(cloud: Cloud, owner: Client, ec2: Any):
    """Its target belongs to another account, which deletes it."""
    sharer, ram = cloud.client(account="222233334444"), cloud.client("ram", "222233334444")
    target = make_target(sharer, "eni-0a1b2c3d4e5f60110")
    arn = f"arn:aws:ec2:us-east-1:222233334444:traffic-mirror-target/{target}"
    ram.create_resource_share(name="s", resourceArns=[arn], principals=["111122223333"])
    session = make_session(ec2, make_filter(ec2, 80), target)
    assert "active" in owner.get(f"/console/sessions/{session}").text
    sharer.delete_traffic_mirror_target(TrafficMirrorTargetId=target)
    for path in ("/console/sessions", f"/console/sessions/{session}"):
        assert f"stopped</strong>: {target} was deleted by its owner 222233334444" in owner.get(path).text


def test_long_lists_come_in_pages(owner: Client, ec2: Any):
    made = [make_filter(ec2) for _ in range(53)]
    first = owner.get("/console/filters").text
    following = re.search(r'href="(\?next=[^"]+)"', first)
    assert following is not None
    second = owner.get(f"/console/filters{following[1]}").text
    shown = [each for text in (first, second) for each in dict.fromkeys(re.findall(r"filters/(tmf-\w+)", text))]
    assert shown == made and "?next=" not in second
