"""Configurations as people have them, with the real AWS provider: applied as they are, unchanged, destroyed."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control.kits.serve_kit import ROOT, Server
from tests.control.kits.terraform_kit import NO_CHANGE, Workspace, initialise
from tests.control.kits.upstream_kit import ACCOUNT, with_moto

CONFIGURATIONS = Path(__file__).parent / "terraform"
PAGE = ROOT / "docs" / "how_to" / "upstream.md"
WORKLOAD = "210987654321"
"""A second account."""
SESSIONS = {
    "appliance": 1,
    "balancer": 2,
    "endpoint": 1,
    "nodes": 2,
    "pool": 1,
    "function": 1,
    "accounts": 1,
    "zones": 3,
    "lab": 1,
    "the page's": 1,
}
"""How many sessions each configuration makes."""
FIRST = {"nodes": ("aws_autoscaling_group.nodes",)}
"""What must be there before the rest can be planned."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("moto")
    accounts = folder / "accounts.json"
    accounts.write_text(json.dumps({"Accounts": [{"Id": ACCOUNT}, {"Id": WORKLOAD}]}))
    with with_moto(folder / "state", "--inventory", str(accounts)) as server:
        yield server


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Workspace:
    """One for all: the provider is installed once."""
    folder = tmp_path_factory.mktemp("terraform")
    initialise(folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return Workspace(
        folder,
        {
            **kept,
            "AWS_ENDPOINT_URL": server.served.url,
            "AWS_REGION": server.ready["region"],
            "AWS_SHARED_CREDENTIALS_FILE": str(server.served.credentials),
            "AWS_EC2_METADATA_DISABLED": "true",
        },
    )


def on_the_page() -> str:
    """The configuration that the documentation shows."""
    found = re.search(r"\$ cat main\.tf\n(.*?)\n\$ ", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def lay_out(name: str, folder: Path) -> None:
    """A configuration, with the modules it has and what its function would be."""
    own = CONFIGURATIONS / f"{name}.tf"
    (folder / "main.tf").write_text(own.read_text(encoding="utf-8") if own.exists() else on_the_page())
    with zipfile.ZipFile(folder / "function.zip", "w") as function:
        function.writestr("function.py", "def handler(event, context): pass\n")
    if (CONFIGURATIONS / name).is_dir():
        shutil.copytree(CONFIGURATIONS / name, folder / name, dirs_exist_ok=True)
        initialise(folder)


def sessions_of(server: Server) -> list[Any]:
    """What both accounts are told of their sessions."""
    told = [server.served.request("GET", "/halfsilver/status", profile=each)[2] for each in (ACCOUNT, WORKLOAD)]
    interfaces = [interface for each in told for interface in json.loads(each)["interfaces"]]
    return [session for interface in interfaces for session in interface["sessions"]]


@pytest.mark.parametrize("name", SESSIONS)
def test_a_configuration_comes_and_goes(name: str, workspace: Workspace, server: Server) -> None:
    lay_out(name, workspace.folder)
    for first in FIRST.get(name, ()):
        done = workspace.run("apply", "-auto-approve", f"-target={first}")
        assert done.returncode == 0, done.stdout + done.stderr
    done = workspace.run("apply", "-auto-approve")
    assert done.returncode == 0, done.stdout + done.stderr
    sessions = sessions_of(server)
    assert len(sessions) == SESSIONS[name]
    assert all(each["state"] == "active" for each in sessions), sessions
    planned = workspace.run("plan", "-detailed-exitcode")
    assert planned.returncode == NO_CHANGE, planned.stdout + planned.stderr
    assert re.fullmatch(r"Destroy complete! Resources: [0-9]+ destroyed\.", workspace.destroy())
    for account in (ACCOUNT, WORKLOAD):
        client = server.served.client(profile=account)
        assert client.describe_network_interfaces()["NetworkInterfaces"] == []
        assert client.describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []
