"""The JSON Schema and the page of a policy: what they say is what the reader does; jsonschema judges the schema."""

from __future__ import annotations

import copy
import importlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from halfsilver.harness.policy.policy import check
from halfsilver.harness.policy.schema import policy_schema
from tests.harness.commands.cli_kit import DOCUMENTS, output_of, run, write_capture
from tests.harness.policy.policy_kit import documents, guarded, to_balancer, to_endpoint

ROOT = Path(__file__).resolve().parents[3]
VALIDATOR = Draft202012Validator(policy_schema(), format_checker=FormatChecker(["ipv4", "ipv6"]))
ONLY_THE_READER = re.compile(
    r"is there already|is also that of|is that of .* already|is that of .* too|there twice|is not in |unique|has \d+ |"
    r"must be tmf-|must be (ingress|egress) in this list|both must be of one family|needs Protocol|is reversed|"
    r"has host bits|did you mean|is no setting of this project|must be an IPv4 network of|is also the source|"
    r"must be network-interface for|must be network-load-balancer for|must be gateway-load-balancer-endpoint for|"
    r"is an endpoint of type|from 1 to 8500|whole number from .* not -?\d+\.0$|names an ICMP type|"
    r"from -1 to 255, not|from 0 to 65535, not -1|(From|To)Port: is missing|PortRange: is missing|"
    r"an entry has exactly one|cannot be resolved|is not in SecurityGroups|is not in NetworkAcls|Groups: is missing|"
    r"MacAddress: is missing|must be a network such as|must be an? (IPv4|IPv6|IPv4 or IPv6) address"
)
"""Errors that no schema finds (``CANNOT_SAY``), and of networks and addresses what a pattern or format lets pass."""


def refused(config: object) -> list[str]:
    """The reader's errors."""
    return [f"{problem.where}: {problem.message}" for problem in check(config) if problem.severity == "error"]


ACCOUNTS = {
    "small": documents(),
    "balancer": to_balancer(),
    "endpoint": to_endpoint(),
    "guarded": guarded(),
    "kit": DOCUMENTS,
    "example": json.loads((ROOT / "examples" / "mirror.json").read_text()),
    "minimal": json.loads((ROOT / "examples" / "minimal.json").read_text()),
}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(policy_schema())


@pytest.mark.parametrize("name", ACCOUNTS)
def test_what_the_reader_takes_is_valid(name: str) -> None:
    assert refused(ACCOUNTS[name]) == []
    assert [error.message for error in VALIDATOR.iter_errors(ACCOUNTS[name])] == []


def spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a document with each key or index in it."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from spots(value[key])


VALUES: list[Any] = [
    None, True, 0, 1, -1, 6, 17, 255, 256, 9001, 70000, 2**24, 1.5, "", "x", "tcp", "6", "-1", "999", [], [None], ["x"],
    {},
    {"FromPort": 1, "ToPort": 2}, {"FromPort": 2}, [{}], "10.0.0.0/8", "10.0.0.1", "::1", "fe80::/10", "eni-1", "tmf-1",
    "sg-1", "0a:00:00:00:00:77", "01:00:00:00:00:77", "accept", "deny", "ingress", "amazon-dns", ["amazon-dns"],
]  # fmt: skip
KEYS = ("Unknown", "RuleNumber", "Tags", "NetworkInterfaceId", "NetworkLoadBalancerArn", "Protocol", "CidrBlock")


def drawn(draw: random.Random) -> Any:
    """An account with one to three changes: a value replaced or removed, a member or an element more."""
    config = copy.deepcopy(draw.choice(list(ACCOUNTS.values())))
    for _ in range(draw.choice([1, 1, 2, 3])):
        container, key = draw.choice(list(spots(config)))
        change = draw.randrange(6)
        if change == 0:
            del container[key]
        elif change == 1 and isinstance(container, dict):
            container[draw.choice(KEYS)] = copy.deepcopy(draw.choice(VALUES))
        elif change == 2 and isinstance(container, list):
            container.append(copy.deepcopy(draw.choice(VALUES)))
        else:
            container[key] = copy.deepcopy(draw.choice(VALUES))
    return config


@pytest.mark.parametrize("seed", range(4))
def test_schema_and_reader_agree(seed: int) -> None:
    """What the schema refuses, the reader refuses; what the reader alone refuses, no schema could find."""
    draw = random.Random(seed)
    both = 0
    for number in range(150):
        config = drawn(draw)
        invalid = [error.message[:120] for error in VALIDATOR.iter_errors(config)]
        errors = refused(config)
        where = f"seed {seed}, draw {number}"
        assert not invalid or errors, f"{where}: the schema refuses what the reader takes: {invalid}"
        alone = [] if invalid else [error for error in errors if not ONLY_THE_READER.search(error)]
        assert not alone, f"{where}: the schema misses {alone}"
        both += bool(invalid)
    assert both > 30, "most draws are to be wrong"


def test_check_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(output_of(capsys, "check", "--schema")) == policy_schema()
    for wrong in (["--schema", "x.json"], []):
        assert run("check", *wrong) == 2


def test_the_page_is_that_of_the_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    page = (ROOT / "docs" / "mirror_json.md").read_text(encoding="utf-8")
    assert page == importlib.import_module("policy_reference").policy_reference(), "run `make docs`"


def test_the_example_of_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Thirty lines at most, nothing wrong with it, and it does what the page says."""
    page = (ROOT / "docs" / "mirror_json.md").read_text(encoding="utf-8")
    found = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert found and found[1].count("\n") <= 30
    policy = tmp_path / "mirror.json"
    policy.write_text(found[1])
    assert output_of(capsys, "check", str(policy)).endswith("0 errors, 0 warnings\n")
    to = Ether(src="0a:00:00:00:00:01", dst="0a:3b:5c:00:00:10") / IP(dst="10.0.1.10")
    capture = write_capture(tmp_path, [bytes(to / TCP(dport=port)) for port in (443, 80)])
    said = json.loads(output_of(capsys, "mirror", "-r", capture, "-c", str(policy), "--json"))
    assert said["verdicts"] == {"mirrored": 1, "no-match": 1}


@pytest.mark.parametrize("network", ["10.0.0.0/33", "10.0.0.0/99", "2001:db8::/129", "0.0.0.0/00", "::/200", "10/8"])
def test_a_prefix_longer_than_its_address_is_refused_by_both(network: str) -> None:
    config = documents()
    config["TrafficMirrorFilters"][0]["IngressFilterRules"][0]["SourceCidrBlock"] = network
    assert refused(config) and not VALIDATOR.is_valid(config)


@pytest.mark.parametrize("network", ["0.0.0.0/0", "10.0.0.0/32", "192.0.2.128/25", "::/0", "2001:db8::/128", "::1/128"])
def test_a_prefix_as_long_as_its_address_is_taken_by_the_schema(network: str) -> None:
    config = documents()
    config["TrafficMirrorFilters"][0]["IngressFilterRules"][0]["SourceCidrBlock"] = network
    assert VALIDATOR.is_valid(config)
