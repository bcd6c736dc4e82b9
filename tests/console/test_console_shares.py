"""Resource shares in the console: made, offered, accepted, left and deleted, with the rights that RAM asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from tests.console.desk_kit import OWNER, PARTNER, SECURITY, Desk, Visitor, desk
from tests.control.kits.serve_kit import COLLECTOR


@pytest.fixture
def place() -> Iterator[Desk]:
    with desk() as made:
        yield made


@pytest.fixture
def target(place: Desk) -> str:
    made = place.ask("CreateTrafficMirrorTarget", NetworkInterfaceId=COLLECTOR)["TrafficMirrorTarget"]
    return str(made["TrafficMirrorTargetId"])


def shares(place: Desk, account: str = OWNER, owner: str = "SELF") -> list[Any]:
    asked = {"resourceOwner": owner, "resourceShareStatus": "ACTIVE"}
    return list(place.ask("GetResourceShares", account, "ram", **asked)["resourceShares"])


def targets(place: Desk, account: str) -> list[str]:
    found = place.ask("DescribeTrafficMirrorTargets", account)["TrafficMirrorTargets"]
    return [each["TrafficMirrorTargetId"] for each in found]


def make(visitor: Visitor, target: str, principals: str, **form: str) -> str:
    """A share by the form; the path of its page."""
    form = {"ShareName": "<taps>", f"Target.{target}": "yes", "Principals": principals, "External": "yes", **form}
    answer = visitor.submit("/console/shares/create", form)
    assert answer.status == 303, answer.text
    return answer.location.partition("?")[0]


def link(text: str, words: str) -> str:
    """The address of a link or a form's button that says this."""
    found = re.search(rf'(?:href|action)="([^"]+)">(?:<input[^>]*><button>)?\s*{words}', text)
    assert found is not None, (words, text)
    return unescape(found[1])


def test_a_target_is_shared_accepted_used_and_taken_back(place: Desk, target: str):
    owner, partner = place.visitor(), place.visitor(PARTNER)
    offered = owner.get(f"/console/targets/{target}").text
    form = owner.get(link(offered, "Share")).text
    assert re.search(rf'name="Target\.{target}" value="yes" checked', form)
    page = make(owner, target, f"{SECURITY}, {PARTNER}")
    (share,) = shares(place)
    assert share["name"] == "<taps>" and "&lt;taps&gt;" in owner.get(page).text
    assert targets(place, SECURITY) == [target], "of the same organisation: nobody has to accept"
    assert targets(place, PARTNER) == [] and "invited" in owner.get(page).text

    listed = partner.get("/console/shares").text
    accepted = partner.submit_to(link(listed, "Accept"), {})
    assert accepted.location == "/console/shares?done=accepted" and targets(place, PARTNER) == [target]
    listed = partner.get("/console/shares").text
    assert "None waits for an answer" in listed
    theirs = link(listed, "&lt;taps&gt;")
    assert target in partner.get(theirs).text and "Disassociate" not in partner.get(theirs).text
    again = partner.submit_to(link(offered, "Share").replace("create", "invitations/x/accept"), {})
    assert again.status == 400 and "could not be found" in again.text

    leave = link(partner.get(theirs).text, "Leave")
    assert "Enter the word disassociate" in partner.submit(leave, {"confirm": "delete"}).text
    assert partner.submit(leave, {"confirm": "disassociate"}).location == "/console/shares?done=unshared"
    assert targets(place, PARTNER) == [] and targets(place, SECURITY) == [target]

    out = link(owner.get(page).text, f'Disassociate<span class="unseen"> {target}')
    assert owner.submit(out, {"confirm": ""}).status == 400 and targets(place, SECURITY) == [target]
    assert owner.submit(out, {"confirm": "disassociate"}).status == 303
    assert targets(place, SECURITY) == []
    assert owner.submit_to(f"{page}/associate", {"Target": target}).status == 303
    assert targets(place, SECURITY) == [target]

    assert "Enter the word delete" in owner.submit(f"{page}/delete", {"confirm": "yes"}).text and shares(place)
    assert owner.submit(f"{page}/delete", {"confirm": "delete"}).location == "/console/shares?done=deleted"
    assert shares(place) == [] and targets(place, SECURITY) == [] and targets(place, OWNER) == [target]
    assert owner.get(page).status == 400


def test_an_invitation_is_rejected_by_its_word(place: Desk, target: str):
    make(place.visitor(), target, PARTNER)
    partner = place.visitor(PARTNER)
    page = link(partner.get("/console/shares").text, "Reject")
    assert partner.submit(page, {"confirm": "delete"}).status == 400
    assert "Reject" in partner.get("/console/shares").text
    assert partner.submit(page, {"confirm": "reject"}).location == "/console/shares?done=rejected"
    assert "None waits for an answer" in partner.get("/console/shares").text and targets(place, PARTNER) == []


def test_accounts_are_added_and_a_form_sent_twice_makes_one_share(place: Desk, target: str):
    owner = place.visitor()
    form = {**owner.get("/console/shares/create").inputs, "ShareName": "s", f"Target.{target}": "yes"}
    assert len({owner.post("/console/shares/create", form).location for _ in range(2)}) == 1
    (share,) = shares(place)
    assert share["allowExternalPrincipals"] is False, "the box was not checked"
    page = f"/console/shares/{share['resourceShareArn'].rpartition('/')[2]}"
    refused = owner.submit_to(f"{page}/associate", {"Principals": PARTNER})
    assert refused.status == 400 and "OperationNotPermittedException" in refused.text
    assert owner.submit_to(f"{page}/associate", {"Principals": SECURITY}).status == 303
    assert targets(place, SECURITY) == [target]
    for wrong in ({"Principals": "12"}, {}):
        assert owner.submit_to(f"{page}/associate", wrong).status == 400


def test_nobody_may_more_than_by_the_api(place: Desk, target: str):
    """Each step by a user who may do all but that, and by other accounts."""
    owner = place.visitor()
    page = make(owner, target, f"{SECURITY} {PARTNER}")
    invitation = link(place.visitor(PARTNER).get("/console/shares").text, "Accept")
    reader = place.visitor(OWNER, "reader", "ec2:Describe*", "ram:Get*", "ram:List*")
    arn = f"arn:aws:ec2:us-east-1:{OWNER}:traffic-mirror-target/{target}"
    steps = {
        "/console/shares/create": ("CreateResourceShare", {"ShareName": "x"}),
        f"{page}/associate": ("AssociateResourceShare", {"Principals": SECURITY}),
        f"{page}/disassociate?entity={arn}": ("DisassociateResourceShare", {"confirm": "disassociate"}),
        f"{page}/delete": ("DeleteResourceShare", {"confirm": "delete"}),
    }
    for path, (action, form) in steps.items():
        answer = reader.submit_to(path, form)
        assert answer.status == 403 and f"ram:{action}" in answer.text, path
    invited = place.visitor(PARTNER, "reader", "ec2:Describe*", "ram:Get*", "ram:List*")
    rejecting = invitation.replace("accept", "reject")
    for path, form in ((invitation, {}), (rejecting, {"confirm": "reject"})):
        answer = invited.submit_to(path, form)
        assert answer.status == 403 and "ram:" in answer.text
    for stranger in (place.visitor(SECURITY), place.visitor(PARTNER)):
        for path, (_, form) in list(steps.items())[1:]:
            assert stranger.submit_to(path, form).status >= 400, path
    assert place.visitor(SECURITY).submit_to(invitation, {}).status == 400, "another account's invitation"
    assert len(shares(place)) == 1 and targets(place, PARTNER) == [] and targets(place, SECURITY) == [target]
    blind = place.visitor(OWNER, "blind", "ec2:Describe*").get("/console/shares")
    assert blind.status == 200 and "ram:GetResourceShares" in blind.text and "&lt;taps&gt;" not in blind.text
    for path in steps:
        assert owner.post(path, {"confirm": "delete"}).status == 403, "without the proof of the form"
