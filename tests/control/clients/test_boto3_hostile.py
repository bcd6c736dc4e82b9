"""What a curious or spiteful user of boto3 tries: odd texts and ids, limits, many clients at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.control.kits.inventory_kit import BATCH, CACHE, DATABASE, OWNER, SECURITY, SECURITY_COLLECTOR, SENSORS, WEB
from tests.control.kits.serve_kit import ANYWHERE, make_filter, make_session, make_target
from tests.control.kits.server_kit import Cloud, error_of, ids, running, tags

CLIENTS = 6


# Texts.


@pytest.mark.parametrize(
    "text",
    [
        "<a href='x'>&amp;</a>]]>",
        "\"'`",
        " before and after ",
        "a  b",
        "%00%zz+a=b&c;d",
        "'; DROP TABLE records; --",
        "${aws:username} {0} %s",
        "\\u0041 \\*",
        "Größe 漢字 \u0301\u200b\u202e",
        "\U0001f600" * 60,
        "null",
        "0",
        "*?[]",
    ],
)
def test_texts_come_back_as_they_were_sent(cloud: Cloud, text: str) -> None:
    """As description, key and value; by a filter for exactly this text too, and by another client."""
    made = cloud.client().create_traffic_mirror_filter(
        Description=text, TagSpecifications=tags("filter", **{text: text})
    )
    literal = "".join(f"\\{each}" if each in "*?\\" else each for each in text)
    for name in ("description", f"tag:{text}", "tag-key"):
        found = cloud.client().describe_traffic_mirror_filters(Filters=[{"Name": name, "Values": [literal]}])
        assert found["TrafficMirrorFilters"] == [made["TrafficMirrorFilter"]]
    assert made["TrafficMirrorFilter"]["Description"] == text
    assert made["TrafficMirrorFilter"]["Tags"] == [{"Key": text, "Value": text}]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=130))
def test_any_text_is_kept_whole_or_refused(running_cloud: Cloud, text: str) -> None:
    ec2 = running_cloud.client()
    try:
        made = ec2.create_traffic_mirror_filter(Description=text)["TrafficMirrorFilter"]
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("InvalidCharacter", "InvalidParameterValue")
        assert any(ord(each) < 32 or 127 <= ord(each) < 160 or ord(each) & 0xFFFE == 0xFFFE for each in text)
        return
    (shown,) = ec2.describe_traffic_mirror_filters(TrafficMirrorFilterIds=ids([made]))["TrafficMirrorFilters"]
    ec2.delete_traffic_mirror_filter(TrafficMirrorFilterId=made["TrafficMirrorFilterId"])
    assert shown["Description"] == made["Description"] == text


@pytest.mark.parametrize(
    "twist",
    [
        "TMF-{}",
        "tmf-{}\n",
        " tmf-{}",
        "tmf-{}\x7f",
        "../tmf-{}",
        "tmf-*",
        "tmf-{0},tmf-{0}",
        "' OR ''='",
        "tmt-{}",
        "{}",
        "tmf-{}" + "0" * 3000,
        "ｔmf-{}",
        "tmf‐{}",
    ],
)
def test_ids_that_are_nearly_right(cloud: Cloud, twist: str) -> None:
    """None is found, none is shortened or trimmed to one that is, and no error is an echo of a long one."""
    ec2 = cloud.client()
    wrong = twist.format(make_filter(ec2).removeprefix("tmf-"))
    code, status, message = error_of(ec2.describe_traffic_mirror_filters, TrafficMirrorFilterIds=[wrong])
    assert (code, status) == ("InvalidTrafficMirrorFilterId.NotFound", 400) and len(message) < 200
    code, status, message = error_of(ec2.delete_traffic_mirror_filter, TrafficMirrorFilterId=wrong)
    assert code in ("InvalidTrafficMirrorFilterId.NotFound", "InvalidParameterValue") and status == 400
    assert error_of(ec2.create_tags, Resources=[wrong], Tags=[{"Key": "a", "Value": "b"}])[1] == 400
    assert len(ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"]) == 1


def test_an_object_of_another_kind_is_not_taken(cloud: Cloud) -> None:
    ec2 = cloud.client()
    filter_id, target_id = make_filter(ec2, 80), make_target(ec2)
    session_id = make_session(ec2, filter_id, target_id)
    before = cloud.everything()
    for call, name, wrong in (
        (ec2.delete_traffic_mirror_filter, "TrafficMirrorFilterId", (target_id, session_id, WEB)),
        (ec2.delete_traffic_mirror_target, "TrafficMirrorTargetId", (filter_id, session_id, WEB)),
        (ec2.delete_traffic_mirror_session, "TrafficMirrorSessionId", (filter_id, target_id, WEB)),
        (ec2.delete_traffic_mirror_filter_rule, "TrafficMirrorFilterRuleId", (filter_id, target_id, session_id)),
    ):
        for identifier in wrong:
            assert error_of(call, **{name: identifier})[0] == f"Invalid{name}.NotFound"
    assert cloud.everything() == before


def test_names_of_shares(cloud: Cloud) -> None:
    ram = cloud.client("ram")
    for name in ("", "x" * 256, "x" * 100_000):
        assert error_of(ram.create_resource_share, name=name)[:2] == ("InvalidParameterException", 400)
    shared = ram.create_resource_share(name="Größe & \U0001f600" + "x" * 240)["resourceShare"]
    assert ram.get_resource_shares(resourceOwner="SELF", name=shared["name"])["resourceShares"] == [shared]


def test_a_pattern_of_stars_takes_no_time(cloud: Cloud) -> None:
    ec2 = cloud.client()
    ec2.create_traffic_mirror_filter(Description="a" * 255)
    started = time.monotonic()
    found = ec2.describe_traffic_mirror_filters(Filters=[{"Name": "description", "Values": ["*a" * 200 + "*b"] * 50}])
    assert found["TrafficMirrorFilters"] == [] and time.monotonic() - started < 15


def test_a_thousand_resources_in_one_request(cloud: Cloud) -> None:
    """All or none: one id that is not there, at the end, and nothing is tagged."""
    ec2 = cloud.client()
    filter_id = make_filter(ec2)
    many = [filter_id] * 998
    tag = {"Tags": [{"Key": "a", "Value": "b"}]}
    assert error_of(ec2.create_tags, Resources=[*many, "tmf-0"], **tag)[0] == "InvalidTrafficMirrorFilterId.NotFound"
    assert error_of(ec2.create_tags, Resources=[f"tmf-{number}" for number in range(1001)], **tag)[0] == (
        "InvalidParameterValue"
    )
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [filter_id]}])["Tags"] == []
    ec2.create_tags(Resources=many, **tag)


def test_an_account_does_not_learn_of_another(cloud: Cloud) -> None:
    """What exists elsewhere and what exists nowhere is refused with the same words."""
    other = cloud.client(account=SECURITY)
    foreign = {
        "TrafficMirrorFilterId": make_filter(other),
        "TrafficMirrorTargetId": make_target(other, SECURITY_COLLECTOR),
    }
    ec2 = cloud.client()
    for name, call in (
        ("TrafficMirrorFilterId", ec2.delete_traffic_mirror_filter),
        ("TrafficMirrorTargetId", ec2.delete_traffic_mirror_target),
    ):
        nowhere = foreign[name][:-6] + "000000"
        refusals = [error_of(call, **{name: identifier}) for identifier in (foreign[name], nowhere)]
        assert refusals[0][2].replace(foreign[name], "?") == refusals[1][2].replace(nowhere, "?")
        assert refusals[0][:2] == refusals[1][:2]
    # A client token is one account's.
    first, second = (
        client.create_traffic_mirror_filter(ClientToken="two accounts")["TrafficMirrorFilter"]
        for client in (ec2, other)
    )
    assert first["TrafficMirrorFilterId"] != second["TrafficMirrorFilterId"]


# Many clients at once.


@pytest.fixture(scope="module")
def crowd(running_cloud: Cloud) -> list[Any]:
    return [running_cloud.new_client() for _ in range(CLIENTS)]


def at_once(crowd: list[Any], call: Callable[[Any, int], Any]) -> list[Any]:
    """What each client got: what ``call`` made of it, or the code of the error."""
    ready = threading.Barrier(len(crowd))

    def run(index: int) -> Any:
        ready.wait(20)
        try:
            return call(crowd[index], index)
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(len(crowd)) as pool:
        return list(pool.map(run, range(len(crowd))))


def test_one_of_many_wins(cloud: Cloud, crowd: list[Any]) -> None:
    """A session number, a load balancer and a rule number are each had once; the others are told so."""
    ec2 = cloud.client()
    filter_id, target_id = make_filter(ec2), make_target(ec2)
    rule = {"TrafficMirrorFilterId": filter_id, "TrafficDirection": "ingress", "RuleNumber": 5, "RuleAction": "accept"}
    for call, code in (
        (lambda client, _: make_session(client, filter_id, target_id), "InvalidParameterValue"),
        (
            lambda client, _: client.create_traffic_mirror_target(NetworkLoadBalancerArn=SENSORS)["ClientToken"],
            "NlbInUseByTrafficMirrorTargetException",
        ),
        (
            lambda client, _: client.create_traffic_mirror_filter_rule(**rule, **ANYWHERE)["ClientToken"],
            "TrafficMirrorFilterRuleAlreadyExists",
        ),
    ):
        got = at_once(crowd, call)
        assert got.count(code) == CLIENTS - 1, got
    assert len(ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]) == 1
    assert len(ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"]) == 2
    assert len(ec2.describe_traffic_mirror_filter_rules()["TrafficMirrorFilterRules"]) == 1


def test_quotas_hold_when_all_come_at_once(cloud: Cloud, crowd: list[Any]) -> None:
    ec2 = cloud.client()
    filter_id, target_id = make_filter(ec2, *range(1, 8)), make_target(ec2)
    got = at_once(crowd, lambda client, index: make_session(client, filter_id, target_id, number=index + 1))
    assert got.count("TrafficMirrorSessionsPerInterfaceLimitExceeded") == CLIENTS - 3
    got = at_once(
        crowd,
        lambda client, index: client.create_traffic_mirror_filter_rule(
            TrafficMirrorFilterId=filter_id,
            TrafficDirection="egress",
            RuleNumber=index + 1,
            RuleAction="accept",
            **ANYWHERE,
        )["ClientToken"],
    )
    assert got.count("TrafficMirrorFilterRuleLimitExceeded") == CLIENTS - 3


def test_one_token_sent_by_many_is_one_object(cloud: Cloud, crowd: list[Any]) -> None:
    got = at_once(
        crowd, lambda client, _: client.create_traffic_mirror_filter(ClientToken="crowd")["TrafficMirrorFilter"]
    )
    assert got == [cloud.client().describe_traffic_mirror_filters()["TrafficMirrorFilters"][0]] * CLIENTS


def test_a_target_is_deleted_while_others_mirror_to_it(cloud: Cloud, crowd: list[Any]) -> None:
    """Either the target goes first and no session finds it, or a session comes first and the target stays."""
    ec2 = cloud.client()
    filter_id = make_filter(ec2)
    sources = [WEB, DATABASE, BATCH, CACHE, WEB]

    def race(target_id: str) -> list[str]:
        def act(client: Any, index: int) -> str:
            if index < len(sources):
                return make_session(client, filter_id, target_id, number=index + 1, eni_id=sources[index])
            deleted = client.delete_traffic_mirror_target(TrafficMirrorTargetId=target_id)
            return f"deleted {deleted['TrafficMirrorTargetId']}"

        return at_once(crowd, act)

    for _ in range(4):
        got = race(make_target(ec2))
        sessions = [each for each in got if each.startswith("tms-")]
        assert got[-1].startswith("deleted") == (not sessions), got
        assert set(ids(ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"])) == set(sessions)
        for session_id in sessions:
            ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=session_id)


def test_readers_see_no_half_change(cloud: Cloud, crowd: list[Any]) -> None:
    """While one client moves a session between two filters and targets, all others see one pair or the other."""
    ec2 = cloud.client()
    pairs = [(make_filter(ec2), make_target(ec2)) for _ in range(2)]
    session_id = make_session(ec2, *pairs[0])

    def act(client: Any, index: int) -> set[tuple[str, str]]:
        seen = set()
        for turn in range(1, 13):
            if index == 0:
                filter_id, target_id = pairs[turn % 2]
                client.modify_traffic_mirror_session(
                    TrafficMirrorSessionId=session_id, TrafficMirrorFilterId=filter_id, TrafficMirrorTargetId=target_id
                )
            (session,) = client.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
            seen.add((session["TrafficMirrorFilterId"], session["TrafficMirrorTargetId"]))
        return seen

    got = at_once(crowd, act)
    assert got[0] == set(pairs) and all(seen <= set(pairs) for seen in got)


# Accounts' quotas.


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A server on which everything is soon full."""
    quotas = ("filters=3", "targets=3", "sessions=3", "tags-per-resource=3", "sources-per-interface-target=2")
    options = [option for quota in quotas for option in ("--quota", quota)]
    with running(tmp_path_factory.mktemp("small") / "state", *options) as cloud:
        yield cloud


def test_quotas(small: Cloud) -> None:
    """Each account has its own; what is deleted makes room; what is refused takes none."""
    ec2 = small.client()
    filters, targets = [make_filter(ec2) for _ in range(3)], [make_target(ec2) for _ in range(3)]
    assert error_of(ec2.create_traffic_mirror_filter)[:2] == ("TrafficMirrorFilterLimitExceeded", 400)
    assert error_of(make_target, client=ec2)[:2] == ("TrafficMirrorTargetLimitExceeded", 400)
    sessions = [make_session(ec2, filters[0], targets[0], eni_id=eni_id) for eni_id in (WEB, DATABASE)]
    assert error_of(make_session, client=ec2, filter_id=filters[0], target_id=targets[0], eni_id=BATCH) == (
        "TrafficMirrorSourcesPerTargetLimitExceeded",
        400,
        "Sources per interface-target limit reached (3)",
    )
    make_session(ec2, filters[0], targets[0], number=2)
    assert error_of(make_session, client=ec2, filter_id=filters[0], target_id=targets[1], eni_id=BATCH)[:2] == (
        "TrafficMirrorSessionLimitExceeded",
        400,
    )
    ec2.create_tags(Resources=[sessions[0]], Tags=[{"Key": each, "Value": ""} for each in "abc"])
    assert error_of(ec2.create_tags, Resources=[sessions[0]], Tags=[{"Key": "d", "Value": ""}])[:2] == (
        "TagLimitExceeded",
        400,
    )
    ec2.create_tags(Resources=[sessions[0]], Tags=[{"Key": "c", "Value": "again"}])
    make_filter(small.client(account=SECURITY))
    ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=sessions[0])
    make_session(ec2, filters[0], targets[1], eni_id=BATCH)
    assert [len(each) for each in small.everything()[OWNER]] == [3, 3, 3, 0]
