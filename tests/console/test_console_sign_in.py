"""The console's door as plain HTTP has it: secrets, cookies, ends of sign-ins, and what guards every answer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.console.console_kit import Client, csrf, key_of, sign_in
from tests.control.kits.serve_kit import make_filter, make_session, make_target
from tests.control.kits.server_kit import Cloud


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
