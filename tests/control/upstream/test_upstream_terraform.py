"""Configurations as people have them, with the real AWS provider: applied as they are, unchanged, destroyed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.kits.serve_kit import ROOT, Server
from tests.control.kits.terraform_kit import NO_CHANGE, Workspace, initialise
from tests.control.kits.upstream_kit import with_moto

CONFIGURATIONS = Path(__file__).parent / "terraform"
PAGE = ROOT / "docs" / "how_to" / "upstream.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with with_moto(tmp_path_factory.mktemp("moto") / "state") as server:
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


@pytest.mark.parametrize("name", ["appliance", "balancer", "endpoint", "the page's"])
def test_a_configuration_comes_and_goes(name: str, workspace: Workspace, server: Server) -> None:
    own = CONFIGURATIONS / f"{name}.tf"
    text = own.read_text(encoding="utf-8") if own.exists() else on_the_page()
    (workspace.folder / "main.tf").write_text(text, encoding="utf-8")
    done = workspace.run("apply", "-auto-approve")
    assert done.returncode == 0, done.stdout + done.stderr
    sessions = [each for interface in server.served.status()["interfaces"] for each in interface["sessions"]]
    assert sessions and all(each["state"] == "active" for each in sessions), sessions
    assert workspace.plan() == NO_CHANGE
    assert re.fullmatch(r"Destroy complete! Resources: [0-9]+ destroyed\.", workspace.destroy())
    assert server.served.client().describe_network_interfaces()["NetworkInterfaces"] == []
    assert server.served.client().describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []
