"""The console as plain HTTP has it: doors, cookies, headers, forms, refusals; no browser, no script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.console.console_kit import Client, key_of, sign_in
from tests.control.kits.serve_kit import COLLECTOR, WEB, Server, make_filter, make_session, make_target
from tests.control.kits.server_kit import Cloud

EVIL = "</title><script>alert(1)</script>\"'&"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Server(tmp_path_factory.mktemp("console") / "state") as server:
        yield Cloud(server)
        assert server.end() == 0
        log = server.log.read_text()
        assert "Traceback" not in log and "internal error" not in log, log


@pytest.fixture
def owner(cloud: Cloud) -> Iterator[Client]:
    """The administrator of the first account, signed in; what there is is deleted behind the test."""
    yield sign_in(cloud.url, key_of(cloud.server))
    cloud.empty()


@pytest.fixture
def ec2(cloud: Cloud) -> Any:
    return cloud.client()


def csrf(client: Client) -> str:
    return client.get("/console/").inputs["csrf"]


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
    style = re.search('href="(/console/static/[^"]+)"', owner.get("/console/").text)
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
    assert f"<strong>{error['Code']}</strong> {error['Message']}".replace("'", "&#39;") in answer.text
    assert answer.inputs["Description"] == "kept"
    number = owner.submit("/console/filters/create", {"Description": "x" * 300})
    assert number.status == 400 and "InvalidParameterValue" in number.text


def test_a_reader_reads_and_does_nothing_else(cloud: Cloud, owner: Client, ec2: Any):
    target, filter_id = make_target(ec2), make_filter(ec2, 80)
    session = make_session(ec2, filter_id, target)
    if ("111122223333", "reader") not in cloud.keys:
        cloud.add_user("reader", {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"})
    reader = sign_in(cloud.url, cloud.keys["111122223333", "reader"])
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
