"""Programs with Amazon's kits for JavaScript and Go: what they see of this server is the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.control.kits.inventory_kit import COLLECTOR, WEB
from tests.control.kits.serve_kit import REGION, ROOT
from tests.control.kits.server_kit import Cloud

PROGRAMS = Path(__file__).with_name("sdks")
SEEN = {
    "tag": "a & b",
    "pages": [5, 1],
    "services": ["amazon-dns"],
    "ports": [443],
    "session": [2, 4660, None, None],
    "refused": "TrafficMirrorFilterInUse",
}
JAVASCRIPT = (*map(Path, os.environ.get("NODE_PATH", "").split(os.pathsep)), ROOT / ".venv/javascript/node_modules")
GO = Path("/usr/share/gocode/src/github.com/aws/aws-sdk-go-v2/service/ec2")
"""Where Debian has it (golang-github-aws-aws-sdk-go-v2-dev)."""


def run(cloud: Cloud, *command: str, **environment: str) -> None:
    done = subprocess.run(
        [*command, WEB, COLLECTOR],
        capture_output=True,
        text=True,
        timeout=600,
        env={**cloud.environment(), "AWS_REGION": REGION, **environment},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == SEEN


def test_javascript(cloud: Cloud) -> None:
    modules = next((each for each in JAVASCRIPT if (each / "@aws-sdk/client-ec2").is_dir()), None)
    if shutil.which("node") is None or modules is None:
        pytest.skip(
            "the SDK for JavaScript is not installed: npm install --prefix .venv/javascript @aws-sdk/client-ec2"
        )
    run(cloud, "node", str(PROGRAMS / "mirror.mjs"), SDK=f"{modules}/")


@pytest.mark.long
def test_go(cloud: Cloud, tmp_path: Path) -> None:
    """Half a minute to compile the SDK, or minutes on a busy machine."""
    if shutil.which("go") is None or not GO.is_dir():
        pytest.skip("Go's SDK is not installed: apt install golang-go golang-github-aws-aws-sdk-go-v2-dev")
    program = tmp_path / "mirror"
    build = ["go", "build", "-o", str(program), str(PROGRAMS / "mirror.go")]
    settings = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(tmp_path / "cache")}
    done = subprocess.run(build, env={**os.environ, **settings}, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    run(cloud, str(program))
