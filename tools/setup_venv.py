"""Make or refresh .venv: a virtual environment with the pinned packages and the `halfsilver` command.

Standard library only, because nothing else is there yet; `tools/bootstrap` has checked the interpreter. A
Debian `python3` without `python3-venv` has no ensurepip, so pip then comes from the package index, as a wheel
whose SHA-256 is written here. Running it again keeps what is installed and repairs what was interrupted.

Exit status: 0 done, 3 with one line that says what failed.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CONSTRAINTS = ROOT / "tools" / "constraints.txt"
ROOMS = ("boards", "harness", "hdl", "sim")
"""The folders that are one import name in tools/rooms (docs/architecture.md)."""

PIP_WHEEL = "pip-25.3-py3-none-any.whl"
PIP_SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"
DEFAULT_INDEX = "https://pypi.org/simple"
PIP_SETTINGS = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
FETCH_SECONDS = 60


class SetupError(Exception):
    """What failed and what would be right, in one line."""


def say(text: str) -> None:
    """Progress goes to stderr, at once."""
    print(text, file=sys.stderr, flush=True)


def runs(*command: str | Path) -> bool:
    """Whether the command ends with status 0."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def make_environment() -> None:
    """A working .venv with pip in it; one that works already is kept."""
    same_python = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]!r})"
    if not runs(PYTHON, "-c", same_python):
        say(f"[1/3] creating .venv with Python {sys.version.split()[0]}")
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", VENV], check=True)
    else:
        say("[1/3] .venv is there")
    if runs(PYTHON, "-m", "pip", "--version"):
        say("[2/3] pip is there")
    elif runs(PYTHON, "-c", "import ensurepip; ensurepip.version()") and runs(PYTHON, "-m", "ensurepip"):
        say("[2/3] pip installed from Python's own copy")
    else:
        say(f"[2/3] this Python brings no pip: fetching {PIP_WHEEL}")
        wheel = VENV / PIP_WHEEL
        wheel.write_bytes(fetch_pip())
        subprocess.run([PYTHON, wheel / "pip", "install", "--quiet", "--no-index", wheel], check=True)
        wheel.unlink()


def package_index() -> str:
    """The index pip would use: PIP_INDEX_URL, its settings files, else PyPI."""
    settings = configparser.ConfigParser(interpolation=None)
    for path in (*PIP_SETTINGS, os.environ.get("PIP_CONFIG_FILE", os.devnull)):
        settings.read(Path(path).expanduser())
    configured = settings.get("global", "index-url", fallback=DEFAULT_INDEX)
    return os.environ.get("PIP_INDEX_URL", configured).rstrip("/")


def fetch_pip() -> bytes:
    """The pinned pip wheel from the package index, its checksum verified."""
    page = f"{package_index()}/pip/"
    listing = fetch(page).decode("utf-8", "replace")
    links = re.findall(r'href="([^"]+)"', listing)
    matching = [link for link in links if link.split("#")[0].endswith("/" + PIP_WHEEL)]
    if not matching:
        raise SetupError(
            f"{page} does not offer {PIP_WHEEL}; set PIP_INDEX_URL to an index that does, or install python3-venv"
        )
    wheel = fetch(urllib.parse.urljoin(page, matching[0].split("#")[0]))
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise SetupError(f"{PIP_WHEEL} from {page} has the wrong SHA-256; it is not used")
    return wheel


def fetch(url: str) -> bytes:
    """The bytes at ``url``.

    A machine without ca-certificates cannot check the server. The fetch is then repeated unchecked: what is
    trusted is the wheel's SHA-256 above, not where it came from.
    """
    try:
        try:
            return read(url, ssl.create_default_context(cafile=os.environ.get("PIP_CERT")))
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ssl.SSLCertVerificationError):
                raise
            say("      no usable CA certificates here; relying on the wheel's SHA-256")
            return read(url, ssl._create_unverified_context())
    except OSError as error:
        raise SetupError(
            f"cannot fetch {url}: {error}; is the network reachable, or is PIP_INDEX_URL needed?"
        ) from None


def read(url: str, context: ssl.SSLContext) -> bytes:
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS, context=context) as response:
        return bytes(response.read())


def link_rooms(root: Path = ROOT) -> None:
    """The directory links of tools/rooms: a source archive lacks them, and some checkouts make files of them."""
    for room in ROOMS:
        link = root / "tools" / "rooms" / "halfsilver" / room
        if not link.is_dir():
            link.unlink(missing_ok=True)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path("..", "..", "..", room), target_is_directory=True)


def install_packages() -> None:
    """The pinned packages and the project itself (editable); one line of progress per package."""
    total = sum(line[0].isalnum() for line in CONSTRAINTS.read_text().splitlines() if line)
    total += len(re.findall(r'^ +"[^"]+==', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    say(f"[3/3] installing {total} pinned packages (about 250 MB the first time)")
    command = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "--constraint",
        CONSTRAINTS,
        "--editable",
        f"{ROOT}[all,farm,moto,test,lint,docs]",
    ]
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    assert pip.stdout is not None
    transcript = []
    packages: set[str] = set()
    for line in pip.stdout:
        transcript.append(line)
        found = re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line)
        if found and found[1].lower() not in packages:
            packages.add(found[1].lower())
            say(f"      {len(packages)}/{total} {found[1]}")
        elif line.startswith("Installing collected packages"):
            say("      unpacking")
    if pip.wait() != 0:
        sys.stderr.writelines(transcript[-15:])
        raise SetupError(
            "pip could not install the pinned packages (its last lines are above); is the package index reachable?"
        )


def main() -> int:
    try:
        make_environment()
        link_rooms()
        install_packages()
    except SetupError as error:
        say(f"halfsilver: {error}")
        return 3
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"halfsilver: setting up .venv failed: {error}")
        return 3
    except KeyboardInterrupt:
        return 130
    say("ready: .venv/bin/halfsilver")
    return 0


if __name__ == "__main__":
    sys.exit(main())
