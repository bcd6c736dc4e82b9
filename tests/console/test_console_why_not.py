"""Why not? of the console: captures and frames by their headers, and whose frames somebody may ask about."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.cli import main as halfsilver
from tests.console.console_kit import EVIL, Client, csrf, sign_in, user
from tests.control.kits.inventory_kit import SCANNER
from tests.control.kits.serve_kit import INVENTORY, WEB, capture, make_filter, make_session, make_target, to_web
from tests.control.kits.server_kit import Cloud

CAPTURE = capture([to_web(80), to_web(22), to_web(443)])


def walks(text: str) -> list[list[str]]:
    return [unescape(each).splitlines() for each in re.findall("<pre>(.*?)</pre>", text, re.DOTALL)]


def test_a_capture_is_explained_frame_by_frame(owner: Client, ec2: Any):
    session = make_session(ec2, make_filter(ec2, 80, 443), make_target(ec2))
    answer = owner.upload("/console/why-not", {"number": ""}, CAPTURE, name=EVIL)
    assert answer.status == 200 and "Verdicts on 3 frames" in answer.text
    first, second, third = walks(answer.text)
    assert first[-1].startswith(f"verdict: mirrored, session 1 ({session}) takes it: 114 of 114 bytes")
    assert second[-2:] == ["  no rule matches", "verdict: no-match, no rule of any session matches"]
    assert "accept: destination port 443 not in 80-80" in third[3] and third[4].endswith("accept: matches")
    one = owner.upload("/console/why-not", {"number": "2"}, CAPTURE)
    assert walks(one.text) == [second] and re.search(r"TCP, \d+ bytes, 1234 → 22", one.text)
    for number in ("0", "4", "x", "-1"):
        refused = owner.upload("/console/why-not", {"number": number}, CAPTURE)
        assert refused.status == 400 and "its frames are 1 to 3" in refused.text


def test_the_walk_is_that_of_the_command(owner: Client, ec2: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """``halfsilver explain`` with what the API describes as its policy."""
    make_session(ec2, make_filter(ec2, 80, 443), make_target(ec2))
    described = {
        "TrafficMirrorFilters": ec2.describe_traffic_mirror_filters()["TrafficMirrorFilters"],
        "TrafficMirrorTargets": ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"],
        "TrafficMirrorSessions": ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"],
        "NetworkInterfaces": json.loads(INVENTORY.read_text())["NetworkInterfaces"],
    }
    (tmp_path / "mirror.json").write_text(json.dumps(described))
    (tmp_path / "x.pcap").write_bytes(CAPTURE)
    arguments = ["explain", "-r", str(tmp_path / "x.pcap"), "-c", str(tmp_path / "mirror.json"), "-n", "2"]
    assert halfsilver(arguments) == 0
    (walk,) = walks(owner.upload("/console/why-not", {"number": "2"}, CAPTURE).text)
    assert walk == capsys.readouterr().out.splitlines()[1:]


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({"protocol": "6", "destination_port": "80"}, "mirrored"),
        ({"protocol": "6", "destination_port": "81"}, "no-match"),
        ({"protocol": "17", "destination_port": "80"}, "no-match"),
        ({"protocol": "1"}, "no-match"),
        ({"protocol": "6", "destination_port": "80", "direction": "egress"}, "no-match"),
        (
            {"protocol": "6", "destination_port": "80", "source": "2001:db8::1", "destination": "2001:db8::2"},
            "no-match",
        ),
        ({"protocol": "17", "destination": "169.254.169.254", "destination_port": "80"}, "not-eligible"),
    ],
)
def test_a_frame_can_be_named_by_its_headers(owner: Client, ec2: Any, headers: dict[str, str], verdict: str):
    make_session(ec2, make_filter(ec2, 80), make_target(ec2))
    form = {"eni": WEB, "direction": "ingress", "source": "10.9.9.9", "destination": "10.0.1.10", "source_port": "4"}
    answer = owner.post("/console/why-not/frame", {**form, **headers, "csrf": csrf(owner)})
    assert answer.status == 200
    (walk,) = walks(answer.text)
    assert walk[-1].startswith(f"verdict: {verdict},")


@pytest.mark.parametrize(
    "wrong",
    [{"source": "x"}, {"destination": "2001:db8::1"}, {"source_port": "65536"}, {"protocol": "6x"}, {"eni": "eni-0"}],
)
def test_a_frame_that_cannot_be_is_refused(owner: Client, wrong: dict[str, str]):
    form = {"eni": WEB, "protocol": "6", "source": "10.9.9.9", "destination": "10.0.1.10", "source_port": "4"}
    answer = owner.post("/console/why-not/frame", {**form, "destination_port": "80", **wrong, "csrf": csrf(owner)})
    assert answer.status == 400 and 'role="alert"' in answer.text


@pytest.mark.parametrize(
    "upload", [b"", b"no capture", CAPTURE[:-3], CAPTURE[:24]], ids=["none", "text", "cut", "empty"]
)
def test_what_is_no_capture_is_refused(owner: Client, upload: bytes):
    answer = owner.upload("/console/why-not", {"number": ""}, upload)
    assert answer.status == 400 and 'role="alert"' in answer.text


def test_an_upload_has_its_limit(owner: Client):
    """What the server refuses unread is refused in the same words (``test_console_door`` has the page's own limit)."""
    for size in (1 << 20, 3 << 20):
        answer = owner.upload("/console/why-not", {}, bytes(size))
        assert answer.status == 413 and "A capture may have 1,000,000 bytes at most" in answer.text


def test_every_byte_of_an_upload_arrives(owner: Client):
    """Line ends and half a boundary among them."""
    payload = b"\r\n--a-boundar\r\r\n\n--\r\n" + bytes(range(256))
    answer = owner.upload("/console/why-not", {"number": "1"}, capture([to_web(80, payload=payload)]))
    assert f"{payload[:64].hex(' ')} … and {len(payload) - 64} more" in answer.text


def test_frames_of_another_account_are_refused(cloud: Cloud, owner: Client):
    stranger = sign_in(cloud.url, cloud.keys["444455556666", "admin"])
    answer = stranger.upload("/console/why-not", {"number": ""}, CAPTURE)
    assert answer.status == 403 and f"{WEB} belongs to another account" in answer.text and not walks(answer.text)
    answer = user(cloud, "reader", "ec2:Describe*").upload("/console/why-not", {"number": ""}, CAPTURE)
    assert answer.status == 403 and "not authorized to perform: halfsilver:ProcessFrames" in answer.text


def test_rules_of_another_accounts_session_are_not_shown(cloud: Cloud, ec2: Any):
    """The owner of a shared subnet mirrors an interface whose owner asks."""
    session = make_session(ec2, make_filter(ec2, 80), make_target(ec2), eni_id=SCANNER)
    asking = sign_in(cloud.url, cloud.keys["222233334444", "admin"])
    form = {"eni": SCANNER, "protocol": "6", "source": "10.9.9.9", "destination": "10.0.1.10", "source_port": "4"}
    answer = asking.post("/console/why-not/frame", {**form, "destination_port": "81", "csrf": csrf(asking)})
    (walk,) = walks(answer.text)
    assert walk[2].startswith(f"session 1 ({session}), filter") and walk[-1].startswith("verdict: no-match")
    assert walk[3:-1] == ["  its rules belong to another account"] and "80-80" not in answer.text
