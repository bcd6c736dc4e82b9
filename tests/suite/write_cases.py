"""Writes the folders of tests/cases from what is described beside this module: `python -m tests.suite.write_cases`.

The files depend on the descriptions and on scapy alone, so equal descriptions give equal files.
"""

from __future__ import annotations

import importlib
import io
import json
import pkgutil
import shutil
from pathlib import Path

from scapy.utils import RawPcapWriter

from tests.suite import described
from tests.suite.case_kit import ALL_CASES, Described

CASES = Path(__file__).resolve().parents[1] / "cases"
START = 1_700_000_000
"""Time of the first frame, in seconds since 1970; each is a microsecond after the one before it."""
LAW = "../../../docs/mirroring.md"


def all_described() -> list[Described]:
    """The cases of all modules of ``described``."""
    for module in sorted(each.name for each in pkgutil.iter_modules(described.__path__)):
        importlib.import_module(f"{described.__name__}.{module}")
    return ALL_CASES


def files_of(case: Described) -> dict[str, bytes]:
    """The files of a case's folder, by name."""
    files = {"frames.pcap": _capture(case), "expect.json": _expected(case), "note.md": _note(case)}
    for number, policy in enumerate(case.policies, 1):
        name = "mirror.json" if number == 1 else f"mirror-{number}.json"
        files[name] = (json.dumps(policy, indent=1) + "\n").encode()
    return files


def _capture(case: Described) -> bytes:
    class Kept(io.BytesIO):
        def close(self) -> None:
            """scapy's writer closes what it was given; the bytes are wanted afterwards."""

    stream = Kept()
    writer = RawPcapWriter(stream, linktype=1, endianness="<")
    writer.write_header(None)
    for number, line in enumerate(case.lines):
        writer.write_packet(line.data, sec=START, usec=number)
    writer.close()
    return stream.getvalue()


def _expected(case: Described) -> bytes:
    """One line for each frame, so that a change of one is seen as such."""
    head = {"rules": case.rules.split(), "needs": case.needs, "settings": case.settings, "metrics": case.metrics}
    members = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in head.items() if value]
    lines = [json.dumps({name: value for name, value in line.line.items() if value is not None}) for line in case.lines]
    members.append(' "frames": [\n  ' + ",\n  ".join(lines) + "\n ]")
    return ("{\n" + ",\n".join(members) + "\n}\n").encode()


def _note(case: Described) -> bytes:
    frames = [f"{number}. {line.what}" for number, line in enumerate(case.lines, 1)]
    law = f"Rules: {', '.join(case.rules.split())} of [docs/mirroring.md]({LAW})"
    return "\n".join(
        [f"# {case.name}", "", case.shows, "", law, "", f"Source: {case.source}", "", "Frames:", "", *frames, ""]
    ).encode()


def main() -> None:
    cases = all_described()
    shutil.rmtree(CASES, ignore_errors=True)
    for case in cases:
        folder = CASES / case.name
        folder.mkdir(parents=True)
        for name, data in files_of(case).items():
            (folder / name).write_bytes(data)
    print(f"{len(cases)} cases in {CASES.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
