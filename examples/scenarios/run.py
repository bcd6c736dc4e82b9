"""Shows a scenario: its frames through an engine, by its policy, beside the table of its page.

    python examples/scenarios/run.py tcp-and-udp
    python examples/scenarios/run.py tcp-and-udp --setup cli      # by setup.sh at `halfsilver serve`
    python examples/scenarios/run.py tcp-and-udp --setup terraform --engine verilator

Exit code 0; 1 if the table is another; 2 for a name that there is not; 3 if a tool is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from halfsilver.harness.api import HalfsilverError, open_mirror
from halfsilver.harness.capture.reader import open_capture
from halfsilver.harness.capture.writer import PcapWriter

HERE = Path(__file__).resolve().parent
PAGE = "README.md"
COLUMNS = ("frame", "what", "verdict", "session", "VNI", "to")
NOTHING = "-"
Row = tuple[str, ...]


class Missing(Exception):
    """A tool that is not here."""


def names() -> list[str]:
    return sorted(path.parent.name for path in HERE.glob(f"*/{PAGE}"))


def expected(name: str) -> list[Row]:
    """The table of the scenario's page: a row of COLUMNS for each frame."""
    lines = (HERE / name / PAGE).read_text(encoding="utf-8").splitlines()
    rows = [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in lines if line.startswith("|")]
    begin = rows.index(COLUMNS)
    return [row for row in rows[begin + 2 :] if len(row) == len(COLUMNS) and row[0].isdecimal()]


def expected_alerts(name: str) -> list[str]:
    """What stands in the page between ```text and ```: alerts' texts, sorted."""
    block = re.search(r"```text\n(.*?)```", (HERE / name / PAGE).read_text(encoding="utf-8"), re.DOTALL)
    return sorted(block[1].splitlines()) if block else []


def found(name: str, policy: Path, engine: str) -> tuple[list[Row], list[bytes]]:
    """The same of what an engine makes of the frames, in the words of ``expected`` for them; and the copies."""
    with open_capture(str(HERE / name / "frames.pcap")) as reader, open_mirror(policy, engine) as mirror:
        judged = mirror.send([frame.data for frame in reader])
        numbers = {each.session_id: each.number for one in mirror.policy.interfaces for each in one.sessions}
    rows = []
    for number, (each, (_, what, *_)) in enumerate(zip(judged, expected(name), strict=True), 1):
        session = NOTHING if each.session is None else str(numbers[each.session])
        rows.append((str(number), what, each.verdict, session, *_outer(each.copy)))
    return rows, [each.copy for each in judged if each.copy is not None]


def _outer(copy: bytes | None) -> tuple[str, str]:
    """VNI and destination of a copy over IPv4."""
    if copy is None:
        return NOTHING, NOTHING
    return str(int.from_bytes(copy[46:49])), ".".join(str(octet) for octet in copy[30:34])


@contextmanager
def policy_of(name: str, setup: str | None) -> Iterator[Path]:
    """The policy's file: the scenario's own, or what a server has after its set-up by ``cli`` or ``terraform``."""
    if setup is None:
        yield HERE / name / "mirror.json"
        return
    own = HERE / name / "inventory.json"
    with tempfile.TemporaryDirectory() as place:
        policy = Path(place) / "mirror.json"
        command = [shutil.which("halfsilver", path=str(Path(sys.executable).parent)) or "halfsilver", "serve", "--json"]
        command += ["--port", "0", "--inventory", str(own if own.exists() else HERE.parent / "inventory.json")]
        command += ["--state", str(policy), "--state", str(Path(place) / "state")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                assert server.stdout is not None
                line = server.stdout.readline()
                if not line:
                    raise Missing("halfsilver serve did not start; `halfsilver serve` says why")
                _SETUPS[setup](HERE / name, Path(place), _environment(json.loads(line)))
                yield policy
            finally:
                server.terminate()


def _environment(ready: dict[str, str]) -> dict[str, str]:
    """By which AWS's clients find the server."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    return own | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": ready["url"],
        "AWS_SHARED_CREDENTIALS_FILE": ready["credentials"],
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": ready["region"],
        "AWS_REGION": ready["region"],
        "AWS_PAGER": "",
    }


def _by_cli(folder: Path, place: Path, environment: dict[str, str]) -> None:
    if shutil.which("aws", path=environment["PATH"]) is None:
        raise Missing("the AWS CLI is not installed (`pip install awscli`)")
    _run(["sh", str(folder / "setup.sh")], place, environment)


def _by_terraform(folder: Path, place: Path, environment: dict[str, str]) -> None:
    """Terraform gets its provider by what TF_CLI_CONFIG_FILE says, or from the registry."""
    if shutil.which("terraform") is None:
        raise Missing("terraform is not installed")
    environment |= {name: value for name, value in os.environ.items() if name == "TF_CLI_CONFIG_FILE"}
    shutil.copyfile(folder / "main.tf", place / "main.tf")
    _run(["terraform", "init", "-input=false", "-no-color"], place, environment)
    _run(["terraform", "apply", "-input=false", "-no-color", "-auto-approve"], place, environment)


_SETUPS = {"cli": _by_cli, "terraform": _by_terraform}


def _run(command: list[str], place: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise Missing(f"{' '.join(command[:2])} failed: {done.stdout.strip()}")


def alerts(name: str, copies: list[bytes]) -> list[str] | None:
    """What Suricata says of the copies by the scenario's rules: alerts' texts, sorted; None without rules."""
    rules = HERE / name / "local.rules"
    if not rules.exists():
        return None
    if shutil.which("suricata") is None:
        raise Missing("suricata is not installed")
    with tempfile.TemporaryDirectory() as place:
        capture = Path(place) / "copies.pcap"
        with capture.open("wb") as stream:
            writer = PcapWriter(stream)
            for number, copy in enumerate(copies):
                writer.write(copy, number * 10_000_000)
        _run(
            ["suricata", "-k", "none", "-r", str(capture), "-S", str(rules), "-l", place], Path(place), dict(os.environ)
        )
        lines = (Path(place) / "fast.log").read_text().splitlines()
    return sorted(match[1] for line in lines if (match := re.search(r"\[[\d:]+\] (.*?) \[\*\*\]", line)))


def render(rows: list[Row], wanted: list[Row]) -> str:
    """The table, each row that is not as the page has it marked."""
    wide = [max(len(row[at]) for row in [COLUMNS, *rows]) for at in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)) for row in [COLUMNS, *rows]]
    marks = [
        "",
        *("" if row == other else f"   the page says {other[2:]}" for row, other in zip(rows, wanted, strict=True)),
    ]
    return "\n".join((line.rstrip() + mark) for line, mark in zip(lines, marks, strict=True))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Show a scenario of AWS's guide.", epilog=f"names: {', '.join(names())}"
    )
    parser.add_argument("name", help="folder of the scenario")
    parser.add_argument("--engine", default="golden", help="as of halfsilver mirror (default: %(default)s)")
    parser.add_argument("--setup", choices=_SETUPS, help="set it up at `halfsilver serve`, instead of mirror.json")
    options = parser.parse_args(arguments)
    if options.name not in names():
        print(f"error: there is no scenario {options.name!r}; there are {', '.join(names())}", file=sys.stderr)
        return 2
    wanted = expected(options.name)
    try:
        with policy_of(options.name, options.setup) as policy:
            rows, copies = found(options.name, policy, options.engine)
        print(render(rows, wanted))
        said = alerts(options.name, copies)
        if said is not None:
            print("\nSuricata's alerts, of the copies:", *said, sep="\n  ")
            if said != expected_alerts(options.name):
                print("  the page says:", *expected_alerts(options.name), sep="\n  ")
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Missing as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    print(f"\nexamples/scenarios/{options.name}/{PAGE} says what it is for", file=sys.stderr)
    return int(rows != wanted or said not in (None, expected_alerts(options.name)))


if __name__ == "__main__":
    sys.exit(main())
