"""The container file of ``tools/service``, as podman builds it from what the repository has: its user, its rights, that
it serves over TLS and ends when it is told to. It takes minutes, and packages from PyPI.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from ssl import create_default_context
from typing import Any

import pytest

from tests.control.kits.serve_kit import COLLECTOR, INVENTORY, ROOT, Served, make_target

FILE = "tools/service/Containerfile"
NAME = f"halfsilver-test-{os.getpid()}"
PODMAN = shutil.which("podman")
USER = "65532"
BUILD_SECONDS, PULL_SECONDS, SECONDS = 900, 300, 60
STATE = "/var/lib/halfsilver"
PYTHON = "/opt/halfsilver/bin/python"
_PROBE = """
import errno, json, os
def refused(folder):
    try:
        open(os.path.join(folder, "x"), "x").close()
    except OSError as error:
        return errno.errorcode[error.errno]
status = dict(line.rstrip().split(":\\t", 1) for line in open("/proc/1/status") if ":\\t" in line)
print(json.dumps({"status": status, "refused": {each: refused(each) for each in %r}}))
"""

pytestmark = [pytest.mark.long, pytest.mark.skipif(PODMAN is None, reason="there is no podman (apt install podman)")]


def _podman(*arguments: str, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PODMAN), *arguments], capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, cwd=ROOT
    )


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """Its standard output; a failure with what it complained of."""
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def _base() -> str:
    """The image that the file begins with. Skips where it is not here and cannot be had."""
    (name,) = set(re.findall(r"^FROM (\S+)", (ROOT / FILE).read_text(), re.MULTILINE))
    if _podman("image", "exists", name).returncode:
        pulled = _podman("pull", "--quiet", name, seconds=PULL_SECONDS)
        if pulled.returncode:
            pytest.skip(f"podman cannot have {name}: {pulled.stderr.strip().splitlines()[-1]}")
    return name


def _sources(folder: Path) -> None:
    """What a clone has: no environment, nothing that was built."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    _base()
    folder = tmp_path_factory.mktemp("source")
    _sources(folder)
    built = (
        "build",
        "--pull=never",
        "--layers=false",
        "--network=host",
        "-f",
        str(folder / FILE),
        "-t",
        NAME,
        str(folder),
    )
    _said(_podman(*built, seconds=BUILD_SECONDS))
    yield NAME
    _said(_podman("rmi", NAME))


def _certificate(folder: Path) -> None:
    """In a folder, and of a key, that the container's user can read."""
    folder.mkdir()
    pair = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"))
    made = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "1", "-nodes")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", *made, *pair]
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)


def test_it_serves_with_no_more_rights_than_it_needs(image: str, tmp_path: Path) -> None:
    """As the head of the file has it, but for the network, which is this host's, and the ports, which are free ones."""
    _certificate(tmp_path / "tls")
    shutil.copy(INVENTORY, tmp_path / "inventory.json")
    options = ("--rm", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=host")
    mounts = {
        tmp_path / "inventory.json": "/etc/halfsilver/inventory.json:ro,Z",
        NAME: STATE,
        tmp_path / "tls": "/etc/halfsilver/tls:ro,Z",
    }
    volumes = [word for source, place in mounts.items() for word in ("-v", f"{source}:{place}")]
    command = ["run", "--name", NAME, *options, *volumes, image, "--port", "0", "--metrics", "127.0.0.1:0", "--json"]
    with ExitStack() as stack:
        stack.callback(_podman, "volume", "rm", "--force", NAME)
        stack.callback(_podman, "rm", "--force", NAME)
        log = stack.enter_context((tmp_path / "log").open("w"))
        process = subprocess.Popen([str(PODMAN), *command], stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (tmp_path / "log").read_text()
        _check(json.loads(line), tmp_path)
        _said(_podman("stop", "--time", "20", NAME))
        assert process.wait(SECONDS) == 0, (tmp_path / "log").read_text()


def _check(ready: Any, folder: Path) -> None:
    found = json.loads(
        _said(_podman("exec", NAME, PYTHON, "-c", _PROBE % (["/", "/opt/halfsilver", "/etc/halfsilver/tls", STATE],)))
    )
    status = found["status"]
    assert (status["Name"], set(status["Uid"].split()), set(status["Gid"].split())) == ("halfsilver", {USER}, {USER})
    assert (int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, 0, "1")
    assert found["refused"].pop(STATE) is None and set(found["refused"].values()) == {"EROFS"}

    credentials = folder / "credentials"
    credentials.write_text(_said(_podman("exec", NAME, "cat", ready["credentials"])))
    trusted = folder / "tls" / "certificate.pem"
    port = ready["url"].rpartition(":")[2]
    ec2 = Served(f"https://localhost:{port}", credentials).client("ec2", verify=str(trusted))
    make_target(ec2)
    (target,) = ec2.describe_traffic_mirror_targets()["TrafficMirrorTargets"]
    assert target["NetworkInterfaceId"] == COLLECTOR
    for page in ("healthz", "readyz"):
        with urllib.request.urlopen(f"{ready['metrics']}/{page}", timeout=SECONDS) as answer:
            assert answer.status == 200
    with urllib.request.urlopen(
        f"https://localhost:{port}/console", timeout=SECONDS, context=create_default_context(cafile=trusted)
    ) as answer:
        assert b"Sign in" in answer.read()
