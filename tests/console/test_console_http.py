"""The console as plain HTTP has it: doors, cookies, headers, forms, refusals; no browser, no script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.cli import main as halfsilver
from tests.console.console_kit import Client, key_of, sign_in
from tests.control.kits.inventory_kit import SCANNER
from tests.control.kits.serve_kit import (
    COLLECTOR,
    INVENTORY,
    WEB,
    capture,
    make_filter,
    make_session,
    make_target,
    to_web,
)
from tests.control.kits.server_kit import Cloud

EVIL = "</title><script>alert(1)</script>\"'&"


@pytest.fixture
def owner(cloud: Cloud) -> Client:
    """The administrator of the first account, signed in."""
    return sign_in(cloud.url, key_of(cloud.server))


@pytest.fixture
def ec2(cloud: Cloud) -> Iterator[Any]:
    """The same one's client of the API; what there is is deleted behind the test."""
    yield cloud.client()
    cloud.empty()


def csrf(client: Client) -> str:
    return client.get("/console/").inputs["csrf"]


def user(cloud: Cloud, name: str, *actions: str) -> Client:
    """A user of the first account who may do these and nothing else, signed in."""
    if ("111122223333", name) not in cloud.keys:
        cloud.add_user(name, {"Effect": "Allow", "Action": list(actions), "Resource": "*"})
    return sign_in(cloud.url, cloud.keys["111122223333", name])


# The door.


@pytest.mark.parametrize("path", ["", "/", "/targets", "/sessions/create", "/nothing"])
def test_nobody_sees_anything_without_signing_in(cloud: Cloud, path: str):
    client = Client(cloud.url)
    for answer in (client.get(f"/console{path}"), client.post(f"/console{path}", {"csrf": "x"})):
        assert (answer.status, answer.location, answer.text) == (303, "/console/sign-in", "")


def test_a_wrong_secret_and_an_unknown_key_are_told_apart_by_nothing(cloud: Cloud):
    key_id, _ = key_of(cloud.server)
    pages = []
    for claimed in (
        {"AccessKeyId": key_id, "SecretAccessKey": "x" * 40},
        {"AccessKeyId": "AKIA", "SecretAccessKey": ""},
    ):
        client = Client(cloud.url)
        answer = client.submit("/console/sign-in", claimed)
        assert answer.status == 403 and "halfsilver-console" not in client.cookies
        pages.append(re.sub('name="csrf" value="[^"]*"', "", answer.text))
    assert pages[0] == pages[1]
    assert "x" * 40 not in pages[0]


def test_the_cookie_is_for_this_console_alone(cloud: Cloud):
    client = Client(cloud.url)
    key_id, secret = key_of(cloud.server)
    answer = client.submit("/console/sign-in", {"AccessKeyId": key_id, "SecretAccessKey": secret})
    header = next(each for each in answer.headers.get_all("set-cookie") if each.startswith("halfsilver-console="))
    assert header.partition("; ")[2].split("; ") == ["Path=/console", "HttpOnly", "SameSite=Strict"]


def test_a_form_of_another_page_signs_nobody_in(cloud: Cloud):
    key_id, secret = key_of(cloud.server)
    form = {"AccessKeyId": key_id, "SecretAccessKey": secret}
    stranger, client = Client(cloud.url), Client(cloud.url)
    client.get("/console/sign-in")
    for proof in ({}, {"csrf": ""}, {"csrf": stranger.get("/console/sign-in").inputs["csrf"]}):
        assert client.post("/console/sign-in", {**form, **proof}).status == 403
    right = client.get("/console/sign-in").inputs
    assert client.post("/console/sign-in", {**form, **right}, origin="http://evil.example").status == 403
    assert "halfsilver-console" not in client.cookies
    assert Client(cloud.url).post("/console/sign-in", {**form, **right}).status == 403, "without the cookie"


def test_signing_out_ends_it_on_the_server(owner: Client):
    kept = dict(owner.cookies)
    assert owner.post("/console/sign-out", {"csrf": csrf(owner)}).location == "/console/sign-in"
    assert owner.cookies["halfsilver-console"] == ""
    owner.cookies = kept
    assert owner.get("/console/").location == "/console/sign-in?expired=1"
    assert "has ended" in owner.get("/console/sign-in?expired=1").text


def test_a_key_that_is_no_longer_active_ends_the_sign_in(cloud: Cloud):
    cloud.add_user("leaver", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    client = sign_in(cloud.url, cloud.keys["111122223333", "leaver"])
    assert client.get("/console/").status == 200
    path = cloud.server.state / "keys.json"
    before = path.read_text()
    head, name, rest = before.partition('"UserName": "leaver"')
    path.write_text(head + name + rest.replace('"Status": "Active"', '"Status": "Inactive"', 1))
    assert client.get("/console/").location == "/console/sign-in?expired=1"
    path.write_text(before)
    assert client.get("/console/").status == 303


# What every answer has.


def test_every_answer_has_its_guards(owner: Client):
    style = re.search('href="(/console/static/[^"]+css)"', owner.get("/console/").text)
    assert style is not None
    answers = [owner.get(path) for path in ("/console/", "/console/sign-in", "/console/nothing", style[1])]
    answers.append(owner.post("/console/targets/create", {}))
    assert [each.status for each in answers] == [200, 200, 404, 200, 403]
    for answer in answers:
        policy = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
        assert policy["form-action"] == "'self'" and policy["base-uri"] == "'none'"
        assert "unsafe" not in str(policy)
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
    kept = [answer.headers["cache-control"] for answer in answers]
    assert kept == ["no-store"] * 3 + ["public, max-age=31536000, immutable", "no-store"]


def test_no_page_has_anything_inline(owner: Client, ec2: Any):
    target, filter_id = make_target(ec2), make_filter(ec2, 80)
    session = make_session(ec2, filter_id, target)
    for path in ("", "targets", f"targets/{target}", f"filters/{filter_id}", "sessions", f"sessions/{session}/modify"):
        text = owner.get(f"/console/{path}").text
        assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son\w+=|javascript:|https?://", text), path


# Forms.


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


# What is done is done by the API.


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


# Frames.

CAPTURE = capture([to_web(80), to_web(22), to_web(443)])


def walks(text: str) -> list[list[str]]:
    return [unescape(each).splitlines() for each in re.findall("<pre>(.*?)</pre>", text, re.DOTALL)]


def test_a_capture_is_explained_frame_by_frame(owner: Client, ec2: Any):
    session = make_session(ec2, make_filter(ec2, 80, 443), make_target(ec2))
    answer = owner.upload("/console/why-not", {"number": ""}, CAPTURE, name=EVIL)
    assert answer.status == 200 and "Verdicts on 3 frames" in answer.text
    first, second, third = walks(answer.text)
    assert first[-1].startswith(f"verdict: mirrored, session 1 ({session}) takes it: 114 of 114 bytes")
    assert second[-2:] == ["  no rule matches", "verdict: no-match, no rule of any session matches"]
    assert "accept: destination port 443 not in 80-80" in third[3] and third[4].endswith("accept: matches")
    one = owner.upload("/console/why-not", {"number": "2"}, CAPTURE)
    assert walks(one.text) == [second] and re.search(r"TCP, \d+ bytes, 1234 → 22", one.text)
    for number in ("0", "4", "x", "-1"):
        refused = owner.upload("/console/why-not", {"number": number}, CAPTURE)
        assert refused.status == 400 and "its frames are 1 to 3" in refused.text


def test_the_walk_is_that_of_the_command(owner: Client, ec2: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """``halfsilver explain`` with what the API describes as its policy."""
    make_session(ec2, make_filter(ec2, 80, 443), make_target(ec2))
    described = {
        "TrafficMirrorFilters": ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"],
        "TrafficMirrorTargets": ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"],
        "TrafficMirrorSessions": ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"],
        "NetworkInterfaces": json.loads(INVENTORY.read_text())["NetworkInterfaces"],
    }
    (tmp_path / "mirror.json").write_text(json.dumps(described))
    (tmp_path / "x.pcap").write_bytes(CAPTURE)
    arguments = ["explain", "-r", str(tmp_path / "x.pcap"), "-c", str(tmp_path / "mirror.json"), "-n", "2"]
    assert halfsilver(arguments) == 0
    (walk,) = walks(owner.upload("/console/why-not", {"number": "2"}, CAPTURE).text)
    assert walk == capsys.readouterr().out.splitlines()[1:]


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({"protocol": "6", "destination_port": "80"}, "mirrored"),
        ({"protocol": "6", "destination_port": "81"}, "no-match"),
        ({"protocol": "17", "destination_port": "80"}, "no-match"),
        ({"protocol": "1"}, "no-match"),
        ({"protocol": "6", "destination_port": "80", "direction": "egress"}, "no-match"),
        (
            {"protocol": "6", "destination_port": "80", "source": "2001:db8::1", "destination": "2001:db8::2"},
            "no-match",
        ),
        ({"protocol": "17", "destination": "169.254.169.254", "destination_port": "80"}, "not-eligible"),
    ],
)
def test_a_frame_can_be_named_by_its_headers(owner: Client, ec2: Any, headers: dict[str, str], verdict: str):
    make_session(ec2, make_filter(ec2, 80), make_target(ec2))
    form = {"eni": WEB, "direction": "ingress", "source": "10.9.9.9", "destination": "10.0.1.10", "source_port": "4"}
    answer = owner.post("/console/why-not/frame", {**form, **headers, "csrf": csrf(owner)})
    assert answer.status == 200
    (walk,) = walks(answer.text)
    assert walk[-1].startswith(f"verdict: {verdict},")


@pytest.mark.parametrize(
    "wrong",
    [{"source": "x"}, {"destination": "2001:db8::1"}, {"source_port": "65536"}, {"protocol": "6x"}, {"eni": "eni-0"}],
)
def test_a_frame_that_cannot_be_is_refused(owner: Client, wrong: dict[str, str]):
    form = {"eni": WEB, "protocol": "6", "source": "10.9.9.9", "destination": "10.0.1.10", "source_port": "4"}
    answer = owner.post("/console/why-not/frame", {**form, "destination_port": "80", **wrong, "csrf": csrf(owner)})
    assert answer.status == 400 and 'role="alert"' in answer.text


@pytest.mark.parametrize(
    "upload", [b"", b"no capture", CAPTURE[:-3], CAPTURE[:24]], ids=["none", "text", "cut", "empty"]
)
def test_what_is_no_capture_is_refused(owner: Client, upload: bytes):
    answer = owner.upload("/console/why-not", {"number": ""}, upload)
    assert answer.status == 400 and 'role="alert"' in answer.text


def test_an_upload_has_its_limit(owner: Client):
    assert owner.upload("/console/why-not", {}, bytes(1 << 20)).status == 413


def test_every_byte_of_an_upload_arrives(owner: Client):
    """Line ends and half a boundary among them."""
    payload = b"\r\n--a-boundar\r\r\n\n--\r\n" + bytes(range(256))
    answer = owner.upload("/console/why-not", {"number": "1"}, capture([to_web(80, payload=payload)]))
    assert f"{payload[:64].hex(' ')} … and {len(payload) - 64} more" in answer.text


def test_frames_of_another_account_are_refused(cloud: Cloud, owner: Client):
    stranger = sign_in(cloud.url, cloud.keys["444455556666", "admin"])
    answer = stranger.upload("/console/why-not", {"number": ""}, CAPTURE)
    assert answer.status == 403 and f"{WEB} belongs to another account" in answer.text and not walks(answer.text)
    answer = user(cloud, "reader", "ec2:Describe*").upload("/console/why-not", {"number": ""}, CAPTURE)
    assert answer.status == 403 and "not authorized to perform: halfsilver:ProcessFrames" in answer.text


def test_rules_of_another_accounts_session_are_not_shown(cloud: Cloud, ec2: Any):
    """The owner of a shared subnet mirrors an interface whose owner asks."""
    session = make_session(ec2, make_filter(ec2, 80), make_target(ec2), eni_id=SCANNER)
    asking = sign_in(cloud.url, cloud.keys["222233334444", "admin"])
    form = {"eni": SCANNER, "protocol": "6", "source": "10.9.9.9", "destination": "10.0.1.10", "source_port": "4"}
    answer = asking.post("/console/why-not/frame", {**form, "destination_port": "81", "csrf": csrf(asking)})
    (walk,) = walks(answer.text)
    assert walk[2].startswith(f"session 1 ({session}), filter") and walk[-1].startswith("verdict: no-match")
    assert walk[3:-1] == ["  its rules belong to another account"] and "80-80" not in answer.text


RULE = {
    "TrafficDirection": "ingress",
    "RuleNumber": "5",
    "RuleAction": "reject",
    "SourceCidrBlock": "0.0.0.0/0",
    "DestinationCidrBlock": "0.0.0.0/0",
}


def test_what_a_rule_would_change_is_shown_before_it_is_saved(cloud: Cloud, owner: Client, ec2: Any):
    filter_id = make_filter(ec2, 22, 443)
    session = make_session(ec2, filter_id, make_target(ec2))
    before, generation = cloud.everything(), cloud.server.served.status()["stored_generation"]
    page = f"/console/filters/{filter_id}/rules/create"
    accepting = {**RULE, "RuleNumber": "50", "RuleAction": "accept", "Protocol": "6", "what_if": "yes"}
    answer = owner.upload(page, accepting, CAPTURE)
    assert answer.status == 200 and "Of 3 frames, <strong>1</strong> would change" in answer.text
    assert "now copied" in answer.text and "The capture grows: 114 bytes more of 1 frames" in answer.text
    assert answer.inputs["RuleNumber"] == "50", "what was written is still there"
    number = {"RuleNumber": "40000", "what_if": "yes"}
    assert "InvalidParameterValue" in owner.upload(page, {**RULE, **number}, CAPTURE).text
    rule = ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"][0]["IngressFilterRules"][0]
    page = f"/console/filters/{filter_id}/rules/{rule['TrafficMirrorFilterRuleId']}"
    assert "2 copies are made, 1 would be" in owner.upload(f"{page}/delete", {"what_if": "yes"}, CAPTURE).text
    answer = owner.upload(f"{page}/modify", {**RULE, "what_if": "yes"}, CAPTURE)
    assert "no longer copied" in answer.text and "2 copies are made, 1 would be" in answer.text
    answer = owner.upload(f"/console/sessions/{session}/delete", {"what_if": "yes"}, CAPTURE)
    assert "no longer copied" in answer.text and "0 would be" in answer.text
    assert cloud.everything() == before and cloud.server.served.status()["stored_generation"] == generation


def test_who_may_not_do_it_may_not_ask_what_if(cloud: Cloud, owner: Client, ec2: Any):
    filter_id = make_filter(ec2, 80)
    make_session(ec2, filter_id, make_target(ec2))
    judge = user(cloud, "judge", "ec2:Describe*", "halfsilver:ProcessFrames")
    answer = judge.upload(f"/console/filters/{filter_id}/rules/create", {**RULE, "what_if": "yes"}, CAPTURE)
    assert answer.status == 403 and "ec2:CreateTrafficMirrorFilterRule" in answer.text
    assert judge.upload("/console/why-not", {"number": ""}, CAPTURE).status == 200


# Counters.


def test_counters_are_of_what_was_mirrored_and_of_ones_own_sessions(cloud: Cloud, owner: Client, ec2: Any):
    session = make_session(ec2, make_filter(ec2, 80), make_target(ec2))
    cloud.server.served.push([to_web(80)] * 3 + [to_web(22)])
    for path in ("/console/counters", "/console/counters/live"):
        text = owner.get(path).text
        row = re.search(f"{session}</a></th>(.*?)</tr>", text, re.DOTALL)
        assert row is not None and [each.strip() for each in re.findall(r"<td[^>]*>([^<]*)", row[1])][1:] == [
            "3",
            "342",
            "0",
            "0",
            "0",
        ], row
    assert "<html" not in text and "Packets mirrored" in owner.get("/console/counters").text
    assert "Packets mirrored" in owner.get(f"/console/sessions/{session}").text
    stranger = sign_in(cloud.url, cloud.keys["444455556666", "admin"])
    assert session not in stranger.get("/console/counters").text
    answer = user(cloud, "reader", "ec2:Describe*").get("/console/counters")
    assert answer.status == 403 and "cloudwatch:GetMetricData" in answer.text
