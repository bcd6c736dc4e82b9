"""What if? of the console: what a change would change, shown to who may make it; and counters of what was mirrored."""

from __future__ import annotations

import re
from typing import Any

from tests.console.console_kit import Client, sign_in, user
from tests.control.kits.serve_kit import capture, make_filter, make_session, make_target, to_web
from tests.control.kits.server_kit import Cloud

CAPTURE = capture([to_web(80), to_web(22), to_web(443)])


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
