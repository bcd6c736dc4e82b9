"""The scenarios of AWS's guide (examples/scenarios): what their pages say comes out, and comes out of their set-ups."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.utils import PcapNgReader

from halfsilver.harness.cli import main as halfsilver
from tests.control.kits.terraform_kit import find_provider

SCENARIOS = Path(__file__).resolve().parents[2] / "examples" / "scenarios"
AWS = Path(sys.executable).with_name("aws")
APPLIANCE = "eni-0a1b2c3d4e5f69091"
EXPECTED_ALERTS = ["a copy", "a copy", "asks for the password file"]


def script(name: str) -> ModuleType:
    """A script of the folder as a module: examples are no package."""
    spec = importlib.util.spec_from_file_location(f"scenarios_{name}", SCENARIOS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUN, MAKE = script("run"), script("make_scenarios")
NAMES = RUN.names()


def test_each_scenario_has_all_its_parts() -> None:
    assert sorted(MAKE.SCENARIOS) == NAMES and len(NAMES) == 5
    for name in NAMES:
        parts = {path.name for path in (SCENARIOS / name).iterdir()}
        assert parts >= {"README.md", "frames.pcap", "main.tf", "mirror.json", "setup.sh"}
        assert os.access(SCENARIOS / name / "setup.sh", os.X_OK)
        assert f"({name}/README.md)" in (SCENARIOS / "README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_table_comes_out(name: str) -> None:
    """By the golden model; and a row that is not so is marked."""
    wanted = RUN.expected(name)
    rows, copies = RUN.found(name, SCENARIOS / name / "mirror.json", "golden")
    assert rows == wanted and len(copies) == [row[2] for row in wanted].count("mirrored") > 0
    assert "the page says" not in RUN.render(rows, wanted)
    other = [(*wanted[0][:2], "rejected", *wanted[0][3:]), *wanted[1:]]
    assert RUN.render(rows, other).count("the page says ('rejected',") == 1


def test_frames_and_policies_are_what_their_script_makes(tmp_path: Path) -> None:
    for name in NAMES:
        MAKE.write(name, tmp_path)
        for part in ("frames.pcap", "mirror.json"):
            assert (tmp_path / name / part).read_bytes() == (SCENARIOS / name / part).read_bytes(), name


@pytest.mark.parametrize("name", NAMES)
def test_terraform_and_script_speak_of_the_policy(name: str) -> None:
    """Of its interfaces, endpoints, VNIs and rules; that they make it is shown where their tools are."""
    policy = json.loads((SCENARIOS / name / "mirror.json").read_text())
    rules = [
        (rule["TrafficDirection"], str(rule["RuleNumber"]), rule["RuleAction"])
        for each in policy["TrafficMirrorFilters"]
        for rule in (*each["IngressFilterRules"], *each["EgressFilterRules"])
    ]
    sources = {each["NetworkInterfaceId"] for each in policy["TrafficMirrorSessions"]}
    vnis = sorted(str(each["VirtualNetworkId"]) for each in policy["TrafficMirrorSessions"])
    targets = {
        each.get("NetworkInterfaceId") or each["GatewayLoadBalancerEndpointId"]
        for each in policy["TrafficMirrorTargets"]
    }
    terraform, shell = ((SCENARIOS / name / part).read_text() for part in ("main.tf", "setup.sh"))
    for text in (terraform, shell):
        assert set(re.findall(r"(?:eni|vpce)-\w+", text)) == sources | targets
        assert sorted(re.findall(r"virtual.network.id[ =]+(\d+)", text)) == vnis
    way = r'direction[ ="]+(\w+)"?[^}]*?rule.number[ =]+(\d+)[^}]*?rule.action[ ="]+(\w+)'
    assert re.findall(way, terraform) == re.findall(way, shell) == rules


@pytest.mark.slow
@pytest.mark.skipif(not os.access(AWS, os.X_OK), reason=f"the AWS CLI is not installed ({AWS})")
@pytest.mark.parametrize(
    "name", [name if name == "http-and-rest" else pytest.param(name, marks=pytest.mark.long) for name in NAMES]
)
def test_the_cli_script_makes_it(name: str) -> None:
    """At `halfsilver serve`: what the server then has gives the page's table."""
    with RUN.policy_of(name, "cli") as policy:
        assert RUN.found(name, policy, "golden")[0] == RUN.expected(name)


@pytest.mark.slow
@pytest.mark.tools
@pytest.mark.parametrize(
    "name", [name if name == "gwlb-two-spokes" else pytest.param(name, marks=pytest.mark.long) for name in NAMES]
)
def test_terraform_makes_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugins, _ = find_provider()
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{plugins}" }}\n}}\n')
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(configuration))
    with RUN.policy_of(name, "terraform") as policy:
        assert RUN.found(name, policy, "golden")[0] == RUN.expected(name)


def test_the_appliance_tells_the_spokes_apart(tmp_path: Path) -> None:
    """By the endpoints' numbers in GENEVE, as the page says."""
    folder, out = SCENARIOS / "gwlb-two-spokes", tmp_path / "appliance.pcapng"
    words = ["mirror", "-r", str(folder / "frames.pcap"), "-c", str(folder / "mirror.json"), "-w", str(out)]
    assert halfsilver([*words, "--appliance", APPLIANCE]) == 0
    endpoints = [bytes(packet[GENEVE].options[0])[4:].hex() for packet in PcapNgReader(str(out))]
    assert endpoints == ["a1b2c3d4e5f61001", "a1b2c3d4e5f62001", "a1b2c3d4e5f61001"]


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("suricata") is None, reason="suricata is missing (apt install suricata)")
def test_suricata_alerts_as_the_page_says() -> None:
    _, copies = RUN.found("suricata", SCENARIOS / "suricata" / "mirror.json", "golden")
    assert RUN.alerts("suricata", copies) == RUN.expected_alerts("suricata") == EXPECTED_ALERTS


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("suricata") is None, reason="suricata is missing (apt install suricata)")
@pytest.mark.parametrize(("length", "said"), [(128, ["a copy", "asks for the password file"]), (129, ["a copy"])])
def test_what_a_packet_length_of_128_hides(tmp_path: Path, length: int, said: list[str]) -> None:
    """One byte more than is copied, and nothing in the copy alerts, though the words of the rule are in it."""
    policy = json.loads((SCENARIOS / "suricata" / "mirror.json").read_text())
    policy["TrafficMirrorSessions"][0]["PacketLength"] = 128
    (tmp_path / "mirror.json").write_text(json.dumps(policy))
    short = bytes(MAKE.WEB_HOST.received(MAKE.web(40000, 80, data=MAKE.GET % b"/../../etc/passwd")))
    path = b"/../../etc/passwd?" + b"x" * (length - len(short) - 1)
    frame = bytes(MAKE.WEB_HOST.received(MAKE.web(40000, 80, data=MAKE.GET % path)))
    with RUN.open_mirror(tmp_path / "mirror.json", "golden") as mirror:
        (judged,) = mirror.send([frame])
    assert len(frame) == length and len(judged.copy) == 50 + 128 and b"/etc/passwd" in judged.copy
    assert RUN.alerts("suricata", [judged.copy]) == said


@pytest.mark.slow
def test_the_command_shows_one_and_refuses_what_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert RUN.main(["non-local-vpc"]) == 0
    assert "ping to 198.51.100.9" in capsys.readouterr().out
    assert RUN.main(["tcp-and-upd"]) == 2
    assert "there are gwlb-two-spokes, http-and-rest, non-local-vpc" in capsys.readouterr().err
    done = subprocess.run(["make", "scenario"], capture_output=True, text=True, cwd=SCENARIOS.parents[1], timeout=120)
    assert done.returncode == 2 and "wants NAME=" in done.stderr
