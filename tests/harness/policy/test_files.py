"""Policy files: all problems at once, round trip, broken files, arbitrary mutations."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsilver.harness.errors import EXIT_USAGE, UsageError
from halfsilver.harness.policy.policy import Policy, PolicyError, Problem, check
from tests.harness.policy.policy_kit import APPLIANCE, NLB_ARN, SOURCE, SPARE, documents, to_balancer, to_endpoint

# Everything at once, files, round trip.


def test_all_problems_at_once_and_the_message_counts_them() -> None:
    config = documents()
    config["TrafficMirrorSessions"][0].update(VirtualNetworkId=0, TrafficMirrorFilterId="tmf-9", PacketLength=20000)
    config["TrafficMirrorFilters"][0]["IngressFilterRules"][0]["RuleAction"] = "drop"
    config["NetworkInterfaces"][0]["TagSet"] = [{"Key": "halfsilver:odd", "Value": ""}]
    with pytest.raises(PolicyError) as raised:
        Policy.from_documents(config, where="lab.json")
    assert isinstance(raised.value, UsageError) and raised.value.exit_code == EXIT_USAGE
    assert [problem.severity for problem in raised.value.problems] == ["error"] * 5
    first = (
        f'lab.json: NetworkInterfaces[0] {APPLIANCE} TagSet[0].Key: "halfsilver:odd" is no setting of this project; '
    )
    first += "known here: halfsilver:mtu, halfsilver:resolver; remove it"
    assert str(raised.value) == f"{first} (and 4 more problems)"


def test_round_trip(tmp_path: Path) -> None:
    config = documents(Extra={"kept": True})
    path = tmp_path / "mirror.json"
    path.write_text(json.dumps(config))
    policy = Policy.load(path)
    assert policy.to_documents() == config
    assert Policy.from_documents(policy.to_documents()) == policy
    assert Policy.load(path, eni=SPARE) != policy
    policy.to_documents()["TrafficMirrorSessions"].clear()
    config["TrafficMirrorSessions"].clear()
    assert len(policy.to_documents()["TrafficMirrorSessions"]) == 1
    path.write_bytes(json.dumps(policy.to_documents()).encode("utf-16"))
    assert Policy.load(str(path)) == policy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n  "Vpcs": [,]\n}', "line 2 column 12: is not JSON"),
        (b"", "line 1 column 1: is not JSON"),
        (b'{"Vpcs": []}\n{"NetworkInterfaces": []}', "line 2 column 1: is not JSON"),
        (b'{"Vpcs": [], "Vpcs": []}', 'the key "Vpcs" is there twice'),
        (b'{"Vpcs": "\xff"}', "byte 10: is not utf-8 text"),
        (b'{"Vpcs": ' + b"[" * 100000, "nested too deeply"),
        (b'{"Vpcs": [' + b"9" * 5000 + b"]}", "thousands of digits"),
        (b"[]", "must be a JSON object"),
    ],
)
def test_files_that_are_not_a_policy(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mirror.json"
    path.write_bytes(content)
    with pytest.raises(PolicyError) as raised:
        Policy.load(path)
    assert str(raised.value).startswith(f"{path}: ") and message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No such file"):
        Policy.load(tmp_path / "none.json")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([2**64, "::/0", "0.0.0.0/0", SOURCE, APPLIANCE, "tmf-1", NLB_ARN, "amazon-dns", "1.2.3.4/24"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, item in inside for path in [(*here, key), *paths(item, (*here, key))]]


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_mutation_gives_problems_or_a_policy_never_a_traceback(data: st.DataObject) -> None:
    config: Any = data.draw(st.sampled_from([documents(), to_balancer(), to_endpoint()]))
    for _ in range(data.draw(st.integers(1, 4))):
        *way, key = data.draw(st.sampled_from(paths(config)))
        container = config
        for step in way:
            container = container[step]
        what = data.draw(st.sampled_from(["replace", "remove", "repeat"]))
        if what == "remove":
            del container[key]
        elif what == "repeat" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        else:
            container[key] = data.draw(JSON)
        if not paths(config):
            break
    found = check(config)
    for problem in found:
        assert problem.severity in ("error", "warning")
        assert problem.where and problem.message and (problem.where + problem.message).isprintable()
    if any(problem.severity == "error" for problem in found):
        with pytest.raises(PolicyError):
            Policy.from_documents(config)
    else:
        policy = Policy.from_documents(config)
        assert list(policy.warnings) == found
        for each in policy.interfaces:
            assert len(each.mac) == 6 and len(each.sessions) <= 3
            for session in each.sessions:
                assert (session.outer is None) == (session.down_reason is not None)


@given(JSON)
def test_any_json_at_the_top(config: object) -> None:
    assert all(isinstance(problem, Problem) for problem in check(config))
