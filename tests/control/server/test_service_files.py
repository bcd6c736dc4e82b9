"""The systemd unit and the container file of ``tools/service``: systemd reads the one, and both start a server.

The container is built by ``test_container``.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.control.kits.serve_kit import HALFSILVER, INVENTORY, ROOT, Server

UNIT = ROOT / "tools" / "service" / "halfsilver.service"
CONTAINER = ROOT / "tools" / "service" / "Containerfile"
INSTALLED = "/opt/halfsilver/bin/halfsilver"
EXPOSURE = 15
"""Tenths, of 100: what `systemd-analyze security` makes of the rights that are left; of a unit that names none, 96."""
ANALYZE = shutil.which("systemd-analyze")

needs_systemd = [
    pytest.mark.tools,
    pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze (apt install systemd)"),
]


def _analyzed(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ANALYZE), *arguments, str(path)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


def _unit(folder: Path, *changes: tuple[str, str]) -> Path:
    """The unit with the program that is here, and these changes."""
    text = UNIT.read_text()
    for before, after in ((INSTALLED, str(HALFSILVER)), *changes):
        assert before in text
        text = text.replace(before, after)
    path = folder / UNIT.name
    path.write_text(text)
    return path


class TestSystemd:
    pytestmark = needs_systemd

    def test_it_finds_nothing_wrong(self, tmp_path: Path) -> None:
        done = _analyzed(_unit(tmp_path), "verify")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (("ProtectSystem", "ProtectSytem"), "Unknown key"),
            (("ExecReload=/bin/kill", "ExecReload=kill-it"), "not executable"),
            (("Type=exec", "Type=exce"), "Failed to parse service type"),
        ],
    )
    def test_it_finds_what_is_wrong(self, tmp_path: Path, change: tuple[str, str], says: str) -> None:
        assert says in _analyzed(_unit(tmp_path, change), "verify").stderr

    def test_few_rights_are_left(self, tmp_path: Path) -> None:
        security = ("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}")
        done = _analyzed(_unit(tmp_path), *security)
        assert done.returncode == 0, done.stdout + done.stderr
        more = _unit(tmp_path, ("CapabilityBoundingSet=\n", ""), ("RestrictNamespaces=yes\n", ""))
        assert _analyzed(more, *security).returncode == 1


def test_the_units_command_serves_and_reads_its_inventory_again(tmp_path: Path) -> None:
    (line,) = [each for each in UNIT.read_text().splitlines() if each.startswith("ExecStart=")]
    with _started(shlex.split(line.partition("=")[2]), tmp_path, "/var/lib/halfsilver") as server:
        assert server.served.client().describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []
        assert server.end() == 0, "as systemctl stop ends it"


def test_the_containers_command_serves_over_tls(tmp_path: Path) -> None:
    (line,) = [each for each in CONTAINER.read_text().splitlines() if each.startswith("ENTRYPOINT ")]
    command = json.loads(line.partition(" ")[2])
    subject = ("-subj", "/CN=localhost", "-days", "1", "-nodes", "-newkey", "rsa:2048")
    pair = ("-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem"))
    subprocess.run(["openssl", "req", "-x509", *subject, *pair], check=True, capture_output=True, timeout=60)
    command = [each.replace("/etc/halfsilver/tls", str(tmp_path)) for each in command]
    with _started(command, tmp_path, "/var/lib/halfsilver") as server:
        assert server.ready["url"].startswith("https://")


def _started(command: Sequence[str], folder: Path, state: str) -> Server:
    """A server by such a command, with paths that are here; it takes each of its options."""
    program, *options = command
    assert program == INSTALLED and options.pop(0) == "serve"
    place = options.index("--state")
    assert options[place + 1] == state
    del options[place : place + 2]
    place = options.index("--inventory")
    assert options[place + 1] == "/etc/halfsilver/inventory.json"
    del options[place : place + 2]
    assert os.access(HALFSILVER, os.X_OK)
    return Server(folder / "state", *options, inventory=INVENTORY)
