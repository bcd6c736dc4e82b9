"""What htmx asks for: the same pages under the same checks; who is not signed in goes to the door, page and all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape

import pytest

from halfsilver.harness.console.sign_ins import IDLE
from tests.console.desk_kit import OWNER, Desk, Visitor, desk

HTMX = {"hx-request": "true"}
LIVE = ("/console/counters/live", "/console/counters/live/charts")


@pytest.fixture(scope="module")
def place() -> Iterator[Desk]:
    with desk() as made:
        yield made


def test_who_has_signed_out_goes_to_the_door_and_no_part_of_the_page_does(place: Desk):
    visitor = place.visitor()
    proof = visitor.get("/console/").inputs["csrf"]
    for path in LIVE:
        page = visitor.get(path, **HTMX)
        assert page.status == 200 and "<html" not in page.text and "hx-redirect" not in page.headers
    kept = dict(visitor.cookies)
    visitor.post("/console/sign-out", {"csrf": proof})
    visitor.cookies = kept
    for method, path in (
        *(("GET", path) for path in LIVE),
        ("GET", "/console/filters?q=a"),
        ("POST", "/console/why-not"),
    ):
        page = visitor.send(method, path, b"", dict(HTMX))
        assert (page.headers["hx-redirect"], page.text) == ("/console/sign-in?expired=1", ""), path
    assert visitor.get(LIVE[0]).location == "/console/sign-in?expired=1", "without script as before"
    assert (
        Visitor("http://desk", console=place.console).get(LIVE[0], **HTMX).headers["hx-redirect"] == "/console/sign-in"
    )


def test_a_page_that_is_left_open_keeps_no_sign_in_alive(place: Desk, monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr(place.console._sign_ins, "_clock", lambda: now[0])
    visitor = place.visitor()
    for _ in range(3):
        now[0] += IDLE / 2 - 1
        answers = [visitor.get(path, **HTMX) for path in LIVE]
    assert all(each.headers["hx-redirect"] for each in answers)


def test_a_part_is_refused_where_the_page_has_its_refusals(place: Desk):
    reader = place.visitor(OWNER, "reader", "ec2:Describe*")
    for path in LIVE:
        page = reader.get(path, **HTMX)
        assert page.status == 403 and "cloudwatch:GetMetricData" in page.text
        assert (page.headers["hx-retarget"], page.headers["hx-reselect"]) == ("#answer", ".refusal")
        assert "hx-retarget" not in reader.get(path).headers


def test_a_part_needs_the_proof_and_the_console_as_its_page(place: Desk):
    visitor = place.visitor()
    form = {"eni": "x", "csrf": visitor.get("/console/").inputs["csrf"]}
    for wrong in ({"csrf": ""}, {"csrf": "A" * 43}):
        page = visitor.post("/console/why-not/frame", {**form, **wrong}, **HTMX)
        assert page.status == 403 and "AccessDenied" in page.text
    assert visitor.post("/console/why-not/frame", form, origin="http://evil.example", **HTMX).status == 403
    foreign = visitor.get(LIVE[0], **{"sec-fetch-site": "cross-site"}, **HTMX)
    assert foreign.status == 403 and "session" not in foreign.text.partition("<main")[2].lower().replace("sessions", "")
    assert "InvalidNetworkInterfaceID.NotFound" in visitor.post("/console/why-not/frame", form, **HTMX).text


def test_htmx_is_told_to_evaluate_nothing_and_every_target_is_there(place: Desk):
    """What an attribute names by an id is on the page, or htmx would exchange nothing."""
    visitor = place.visitor()
    made = place.ask("CreateTrafficMirrorFilter")["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    pages = ("counters", "why-not", "filters", "targets", "sessions", "sessions/create", f"filters/{made}/delete")
    for path in pages:
        text = visitor.get(f"/console/{path}").text
        config = re.search('name="htmx-config" content="([^"]+)"', text)
        assert config is not None
        settings = json.loads(unescape(config[1]))
        off = ("allowEval", "allowScriptTags", "includeIndicatorStyles", "historyCacheSize")
        assert not any(settings[name] for name in off) and settings["selfRequestsOnly"]
        assert not re.search(r"hx-(on|vals='js|vars|ext)|hx-trigger=\"[^\"]*\[", text)
        named = re.findall(r'hx-(?:target|select|select-oob)="([^"]+)"', text)
        assert named, path
        wanted = {found for each in named for found in re.findall(r"#([\w-]+)", each)} - {"client-token"}
        assert wanted <= set(re.findall(r'\sid="([^"]+)"', text)), path
        addresses = [each for each in re.findall(r'hx-(?:get|post)="([^"]*)"', text) if each]
        assert all(each.startswith("/console/") for each in addresses)
    assert "htmx" not in Visitor("http://desk", console=place.console).get("/console/sign-in").text
