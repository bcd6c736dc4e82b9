"""Regions in the console: what is shown and changed is of the region that the page's address names, and of no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.console.console import Console
from halfsilver.harness.control.http.exchange import Exchange
from halfsilver.harness.control.serving import Parts
from halfsilver.harness.control.state.minutes import Minute
from halfsilver.harness.control.trail.audit_file import AuditFile
from halfsilver.harness.control.trail.recorder import Recorder
from halfsilver.harness.records import METRICS
from tests.console.console_kit import Answer, csrf, sign_in
from tests.console.desk_kit import OWNER, PARTNER, SECURITY, Desk, Visitor, desk, services
from tests.control.kits.authorization_kit import allow, policies
from tests.control.kits.inventory_kit import ABROAD, COLLECTOR, WEB, abroad, there
from tests.control.kits.serve_kit import capture, to_web

HOME, FURTHER = "us-east-1", "ap-south-1"
AWAY = f"/console/{ABROAD}"
FRAMES = capture([to_web(80)])
KINDS = {"targets": "Target", "filters": "Filter", "sessions": "Session"}
RULE = {"RuleNumber": "10", "SourceCidrBlock": "0.0.0.0/0", "DestinationCidrBlock": "0.0.0.0/0"}


@pytest.fixture
def place() -> Iterator[Desk]:
    with desk(ABROAD, FURTHER, Regions={ABROAD: abroad()}) as made:
        yield made


@pytest.fixture
def owner(place: Desk) -> Visitor:
    return place.visitor()


def everything(place: Desk, region: str = "") -> dict[str, Any]:
    """What there is in a region, but for the inventory."""
    found = {
        kind: place.ask(f"DescribeTrafficMirror{noun}s", region=region)[f"TrafficMirror{noun}s"]
        for kind, noun in KINDS.items()
    }
    shares = place.ask("GetResourceShares", OWNER, "ram", region, resourceOwner="SELF", resourceShareStatus="ACTIVE")
    return {**found, "shares": shares["resourceShares"]}


def fill(place: Desk, region: str = "") -> dict[str, str]:
    """One of each, by the API; their ids."""

    def make(kind: str, **parameters: Any) -> str:
        made = place.ask(f"CreateTrafficMirror{kind}", region=region, **parameters)[f"TrafficMirror{kind}"]
        return str(made[f"TrafficMirror{kind}Id"])

    collector, source = (there(each) if region else each for each in (COLLECTOR, WEB))
    ids = {"target": make("Target", NetworkInterfaceId=collector), "filter": make("Filter")}
    for direction in ("ingress", "egress"):
        rule = {**RULE, "RuleNumber": 10, "RuleAction": "accept", "TrafficDirection": direction}
        ids["rule"] = make("FilterRule", TrafficMirrorFilterId=ids["filter"], **rule)
    used = {"TrafficMirrorTargetId": ids["target"], "TrafficMirrorFilterId": ids["filter"]}
    ids["session"] = make("Session", NetworkInterfaceId=source, SessionNumber=1, **used)
    arn = f"arn:aws:ec2:{region or HOME}:{OWNER}:traffic-mirror-target/{ids['target']}"
    asked = {"name": f"of-{region or HOME}", "resourceArns": [arn], "principals": [SECURITY]}
    share = place.ask("CreateResourceShare", OWNER, "ram", region, **asked)["resourceShare"]
    ids["share"] = str(share["resourceShareArn"]).rpartition("/")[2]
    return ids


def send(visitor: Visitor, path: str, **form: str) -> Answer:
    """A form whose page is another one, of the same region."""
    base = AWAY if path.startswith(AWAY) else "/console"
    return visitor.post(path, {"csrf": visitor.get(f"{base}/").inputs["csrf"], **form})


def menu(answer: Answer) -> dict[str, str]:
    """What the head's list of regions leads to, by their names."""
    text = answer.text.partition('aria-label="Region"')[2].partition("</nav>")[0]
    return {name: address for address, name in re.findall(r'href="([^"]+)".*?<span class="quiet">([^<]+)<', text)}


def shown_region(answer: Answer) -> str:
    found = re.search(r'<strong id="region">([^<]+)<', answer.text)
    assert found is not None
    return found[1]


def test_a_page_is_of_the_region_in_its_address_and_of_the_servers_own_without_one(place: Desk, owner: Visitor):
    ids = {region: fill(place, region) for region in ("", ABROAD)}
    for path in ("/", "/targets", "/filters", "/sessions", "/shares", "/counters", "/why-not"):
        lists = {
            name: f"{base}{path}"
            for name, base in ((FURTHER, f"/console/{FURTHER}"), (ABROAD, AWAY), (HOME, "/console"))
        }
        for base, region in (("/console", HOME), (f"/console/{HOME}", HOME), (AWAY, ABROAD)):
            page = owner.get(base + path)
            assert (page.status, shown_region(page), menu(page)) == (200, region, lists), path
            assert [re.sub("<.*", "", each) for each in re.findall(r'aria-current="true">([^\n]+)', page.text)] == [
                {HOME: "US East (N. Virginia) ", ABROAD: "Europe (Ireland) "}[region]
            ]
            other = ids[ABROAD if region == HOME else ""]
            assert not any(each in page.text for each in other.values())
    for kind in ("target", "filter", "session", "share"):
        for region, base in (("", "/console"), (ABROAD, AWAY)):
            own, others = ids[region][kind], ids["" if region else ABROAD][kind]
            assert own in owner.get(f"{base}/{kind}s").text and owner.get(f"{base}/{kind}s/{own}").status == 200
            for path in ("", "/delete") if kind == "share" else ("", "/tags"):
                assert owner.get(f"{base}/{kind}s/{others}{path}").status == 400
    assert owner.get(f"/console/{FURTHER}/filters").text.count("There are none yet.") == 1


def test_all_that_a_page_leads_to_is_in_its_region(place: Desk, owner: Visitor):
    """But the region's own list, and what says where the NIC is."""
    ids = fill(place, ABROAD)
    of_filter, of_session = f"/filters/{ids['filter']}", f"/sessions/{ids['session']}"
    lists = [f"/{kind}{query}" for kind in KINDS for query in ("", "/create", "?sort=-id&q=t")]
    paths = (
        *("/", *lists, "/shares", "/shares/create", "/counters", "/counters/live", "/counters/live/charts", "/why-not"),
        *(f"/targets/{ids['target']}", f"/targets/{ids['target']}/delete", f"/targets/{ids['target']}/tags"),
        *(of_filter, f"{of_filter}/rules/create", f"{of_filter}/rules/{ids['rule']}/modify"),
        *(f"{of_filter}/rules/{ids['rule']}/delete", of_session, f"{of_session}/modify", f"{of_session}/delete"),
        *(f"/shares/{ids['share']}", f"/shares/{ids['share']}/delete", "/nothing"),
    )
    for path in paths:
        page = owner.get(AWAY + path)
        text = re.sub('<nav aria-label="Region">.*?</nav>', "", page.text, flags=re.DOTALL)
        text = text.replace(f'The NIC is in <a href="/console/">{HOME}</a>', "")
        addresses = [unescape(each) for each in re.findall(r'(?:href|action|src|hx-get|hx-post)="([^"]*)"', text)]
        led = [each for each in addresses if each and not each.startswith(("?", "#", "/console/static/"))]
        assert "live" in path or len(led) > 3, path
        assert [each for each in led if not each.startswith(f"{AWAY}/")] == [], path


def test_forms_change_the_region_of_their_page_and_no_other(place: Desk, owner: Visitor):
    fill(place)
    before = everything(place)

    def do(path: str, **form: str) -> str:
        answer = owner.submit(path, form)
        assert answer.status == 303 and answer.location.startswith(f"{AWAY}/"), answer.text
        assert everything(place) == before
        return answer.location.partition("?")[0]

    target = do(f"{AWAY}/targets/create", NetworkInterfaceId=there(COLLECTOR), Name="a")
    made = do(f"{AWAY}/filters/create", AmazonDns="yes")
    do(f"{made}/rules/create", TrafficDirection="ingress", RuleAction="accept", **RULE)
    do(f"{made}/tags", **{"Key.1": "k", "Value.1": "v"})
    used = {"TrafficMirrorTargetId": target.rpartition("/")[2], "TrafficMirrorFilterId": made.rpartition("/")[2]}
    session = do(f"{AWAY}/sessions/create", NetworkInterfaceId=there(WEB), SessionNumber="1", **used)
    do(f"{session}/modify", PacketLength="99")
    share = do(
        f"{AWAY}/shares/create", ShareName="s", Principals=SECURITY, **{f"Target.{used['TrafficMirrorTargetId']}": "y"}
    )

    found = everything(place, ABROAD)
    assert [len(each) for each in found.values()] == [1, 1, 1, 1]
    assert found["filters"][0]["Tags"] == [{"Key": "k", "Value": "v"}] and found["filters"][0]["NetworkServices"]
    assert len(found["filters"][0]["IngressFilterRules"]) == 1 and found["sessions"][0]["PacketLength"] == 99
    arn = f"arn:aws:ec2:{ABROAD}:{OWNER}:traffic-mirror-target/{used['TrafficMirrorTargetId']}"
    asked = {"resourceOwner": "OTHER-ACCOUNTS"}
    assert [each["arn"] for each in place.ask("ListResources", SECURITY, "ram", ABROAD, **asked)["resources"]] == [arn]
    for path in (share, session, made, target):
        do(f"{path}/delete", confirm="delete")
    assert not any(everything(place, ABROAD).values())


def test_a_form_of_another_region_is_refused_wherever_it_is_sent(place: Desk, owner: Visitor):
    """A tab that was left open sends its form to its own region; under another address it does nothing."""
    ids = {region: fill(place, region) for region in ("", ABROAD)}
    before = [everything(place, region) for region in ("", ABROAD)]
    forms = {base: owner.get(f"{base}/filters/create").inputs for base in ("/console", AWAY)}
    assert forms["/console"]["csrf"] != forms[AWAY]["csrf"]
    for base, other in (("/console", AWAY), (AWAY, "/console"), (f"/console/{FURTHER}", AWAY)):
        answer = owner.post(f"{base}/filters/create", forms[other])
        assert answer.status == 403 and "Load the page again" in answer.text
        for region in ids:
            deletion = {"csrf": forms[other]["csrf"], "confirm": "delete"}
            assert owner.post(f"{base}/sessions/{ids[region]['session']}/delete", deletion).status == 403
    own = {"csrf": forms[AWAY]["csrf"], "confirm": "delete"}
    assert owner.post(f"{AWAY}/sessions/{ids['']['session']}/delete", own).status == 400
    assert [everything(place, region) for region in ("", ABROAD)] == before
    assert owner.post(f"{AWAY}/filters/create", forms[AWAY]).status == 303
    assert everything(place) == before[0] and len(everything(place, ABROAD)["filters"]) == 2


def test_a_region_that_is_not_there_is_one_line(place: Desk, owner: Visitor):
    """One that nobody knows, one of another partition, and one that this server does not have."""
    before, proof = everything(place), csrf(owner)
    stranger = Visitor("http://desk", console=place.console)
    for name in ("eu-west-9", "mars-east-1", "cn-north-1", "eu-central-1"):
        for path in ("", "/filters", "/sign-in", "/counters/live"):
            for visitor in (owner, stranger):
                answer = visitor.get(f"/console/{name}{path}")
                assert answer.status == 404
                assert len(re.findall(f"There is no region {name} here; did you mean [a-z0-9-]+[?]", answer.text)) == 1
        assert owner.post(f"/console/{name}/filters/create", {"csrf": proof}).status == 404
    assert everything(place) == before
    for path in (f"/console/{ABROAD}/{HOME}/filters", f"/console/{ABROAD.upper()}/filters", f"{AWAY}s/filters"):
        assert owner.get(path).status == 404


def test_policies_know_the_region_as_in_the_api(place: Desk):
    ann = place.visitor(OWNER, "ann")
    caller = f"arn:aws:iam::{OWNER}:user/ann"
    place.rules[caller] = policies(allow("*", StringEquals={"aws:RequestedRegion": ABROAD}))
    for path in ("/filters", "/counters", "/counters/live", "/counters/live/charts"):
        assert (ann.get(f"/console{path}").status, ann.get(f"{AWAY}{path}").status) == (403, 200), path
    assert ann.submit("/console/filters/create", {}).status == 403
    assert ann.submit(f"{AWAY}/filters/create", {}).status == 303
    assert "do not allow <code>ram:GetResourceShares" in ann.get("/console/shares").text
    assert ann.submit(f"{AWAY}/shares/create", {"ShareName": "s"}).status == 303
    place.rules[caller] = policies(allow("*", f"arn:aws:ec2:{HOME}:*:*"), allow("ec2:Describe*"))
    assert ann.submit("/console/filters/create", {}).status == 303
    assert ann.submit(f"{AWAY}/filters/create", {}).status == 403


def test_shares_and_invitations_are_of_their_region(place: Desk):
    ids = fill(place, ABROAD)
    owner, partner = place.visitor(), place.visitor(PARTNER)
    answer = send(owner, f"{AWAY}/shares/{ids['share']}/associate", Principals=PARTNER)
    assert answer.location == f"{AWAY}/shares/{ids['share']}?done=shared"
    assert "None waits for an answer" in partner.get("/console/shares").text
    found = re.search(r"/shares/invitations/[^/]+/", partner.get(f"{AWAY}/shares").text)
    assert found is not None
    assert "could not be found" in send(partner, f"/console{found[0]}accept").text
    assert send(partner, f"{AWAY}{found[0]}accept").location == f"{AWAY}/shares?done=accepted"
    for base, there_too in (("/console", False), (AWAY, True)):
        assert (f"of-{ABROAD}" in partner.get(f"{base}/shares").text) is there_too
        assert (ids["target"] in partner.get(f"{base}/targets").text) is there_too
    arn = f"arn:aws:ec2:{ABROAD}:{OWNER}:traffic-mirror-target/{ids['target']}"
    fill(place)
    (share,) = everything(place)["shares"]
    home = f"/console/shares/{share['resourceShareArn'].rpartition('/')[2]}"
    assert owner.submit(f"{home}/disassociate?entity={arn}", {"confirm": "disassociate"}).status == 400
    assert ids["target"] in partner.get(f"{AWAY}/targets").text


def test_what_the_nic_does_is_shown_in_its_region_alone(place: Desk, owner: Visitor):
    home, away = fill(place), fill(place, ABROAD)
    with place.control._store.begin(write=True) as transaction:
        minute = int((datetime.now(UTC) - timedelta(minutes=2)).timestamp()) // 60 * 60
        transaction.minutes.add([Minute(minute, home["session"], WEB, "i-1", OWNER, dict.fromkeys(METRICS, 91919))])
    for path in ("/", "/counters", "/why-not"):
        at_home, elsewhere = owner.get(f"/console{path}").text, owner.get(AWAY + path).text
        words = f'The NIC is in <a href="/console/">{HOME}</a>'
        assert WEB in at_home and words not in at_home
        assert WEB not in elsewhere and words in elsewhere, path
    for path in ("/counters", "/counters/live/charts", f"/counters/live/charts?session={home['session']}"):
        assert "183,838" in owner.get(f"/console{path}").text and "183,838" not in owner.get(AWAY + path).text
    assert home["session"] in owner.get("/console/counters/live").text
    assert home["session"] not in owner.get(f"{AWAY}/counters/live").text
    state = f"elsewhere</strong>: the NIC is in {HOME}"
    for path in ("/sessions", f"/sessions/{away['session']}"):
        assert state in owner.get(AWAY + path).text and state not in owner.get(f"/console{path}").text


def test_frames_are_asked_about_where_the_nic_is(place: Desk, owner: Visitor):
    ids, before = fill(place, ABROAD), everything(place, ABROAD)
    line = f"The NIC is in {HOME}: it meets no frame of {ABROAD}."
    ingress = {"eni": WEB, "protocol": "6", "source": "10.0.0.1", "destination": "10.0.0.2"}
    ports = {"source_port": "1", "destination_port": "2"}
    assert send(owner, "/console/why-not/frame", **ingress, **ports).status == 200
    asked = [send(owner, f"{AWAY}/why-not/frame", **ingress, **ports)]
    asked.append(
        owner.upload(f"{AWAY}/sessions/{ids['session']}/modify", {"what_if": "yes", "PacketLength": "9"}, FRAMES)
    )
    asked.append(
        owner.upload(f"{AWAY}/sessions/{ids['session']}/delete", {"what_if": "yes", "confirm": "delete"}, FRAMES)
    )
    for answer in asked:
        assert answer.status == 400 and line in answer.text and "What if?" not in answer.text
    assert everything(place, ABROAD) == before


def test_the_door_leads_to_the_region_that_was_asked_for(place: Desk):
    place.visitor()
    (key,) = place.keys.values()
    stranger = Visitor("http://desk", console=place.console)
    assert stranger.get(f"{AWAY}/filters").location == f"{AWAY}/sign-in"
    assert stranger.get(f"{AWAY}/filters", **{"hx-request": "true"}).headers["hx-redirect"] == f"{AWAY}/sign-in"
    assert shown_region(stranger.get(f"{AWAY}/sign-in")) == ABROAD
    answer = stranger.submit(f"{AWAY}/sign-in", {"AccessKeyId": key.id, "SecretAccessKey": key.secret})
    assert answer.location == f"{AWAY}/" and shown_region(stranger.get(answer.location)) == ABROAD
    form = stranger.get(f"{AWAY}/").inputs
    assert stranger.post(f"{AWAY}/sign-out", {"csrf": form["csrf"]}).location == f"{AWAY}/sign-in"
    assert stranger.get("/console/").location == "/console/sign-in"


def test_the_audit_file_has_the_region_of_the_page(place: Desk, tmp_path: Path):
    place.visitor()
    (key,) = place.keys.values()
    audit = AuditFile(tmp_path / "audit.jsonl")
    exchange = Exchange(services(), lambda *asked: key.caller, place.control, audit=Recorder(audit, HOME))
    visitor = Visitor("http://desk", console=Console(Parts(exchange, place.control, place)))  # type: ignore[arg-type]
    sign_in(visitor, (key.id, key.secret))
    for base in ("/console", AWAY):
        visitor.submit(f"{base}/filters/create", {})
    audit.close()
    records = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    made = [each["awsRegion"] for each in records if each["eventName"] == "CreateTrafficMirrorFilter"]
    assert made == [HOME, ABROAD]
