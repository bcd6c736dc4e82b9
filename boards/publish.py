"""``python -m halfsilver.boards.publish``: what is known of each board, in docs/boards.json.

The table of docs/reference/boards.md is made from it. A bitstream is published with its report, if that is good and of
the file that lies beside it. What was seen on a bench is written into docs/boards.json by whoever saw it, as
{"date": ..., "bitstream": sha256}, and is kept.

    --list    print what is built, as `halfsilver build` takes it, a line each, and do nothing
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from halfsilver.boards import BOARDS, Board
from halfsilver.boards.report import Report
from halfsilver.harness.installation import ROOT

__all__ = ["BUILT", "PUBLISHED", "SIMULATED", "board_table", "main", "publish"]

PUBLISHED = ROOT / "docs" / "boards.json"
BUILDS = Path("build", "boards")

SIMULATED: dict[int, str] = {2: "two ports, smallest NIC"}
"""The cards that tests/hdl/card simulates with PHYs and a serial line, by ports, and what they are."""


BUILT: dict[str, tuple[Board, str]] = {
    board.name + option.replace("--", "-"): (board, option) for board in BOARDS.values() for option in board.builds
}
"""Board and option of `halfsilver build`, by the name of the build."""


def publish(known: dict[str, Any], builds: Path) -> tuple[dict[str, Any], list[str]]:
    """``known`` with the reports that lie in ``builds``, and a line for each of BUILT that has none to publish."""
    result, lines = {}, []
    for name in BUILT:
        entry = {key: known.get(name, {}).get(key) for key in ("report", "bench")}
        folder = builds / name
        try:
            report = Report.from_json((folder / "report.json").read_text(encoding="utf-8"))
            bitstream = (folder / f"{name}.bit").read_bytes()
        except FileNotFoundError as error:
            lines.append(f"{name}: not published: {error.filename} is not there")
        else:
            if report.problems or hashlib.sha256(bitstream).hexdigest() != report.hashes["bitstream"]:
                lines.append(f"{name}: not published: {'; '.join(report.problems) or 'bitstream and report differ'}")
            else:
                entry["report"] = json.loads(report.to_json())
        result[name] = entry
    return result, lines


def board_table(known: dict[str, Any]) -> str:
    """One line per build of a board: what it carries, what that takes, how fast it is, and how far it has come."""
    lines = [
        "| board | FPGA | ports | NIC | LUT | FF | EBR | clocks: wanted, median of seeds, MHz | simulated "
        "| built: bitstream | run on a bench |",
        "|---|---|--:|---|--:|--:|--:|---|---|---|---|",
    ]
    for name, (board, option) in BUILT.items():
        entry = known.get(name, {})
        bench = entry.get("bench")
        ran = f"{bench['date']}, `{bench['bitstream'][:12]}`" if bench else "no"
        cells = ["", "", "", "", "", "no"]
        if entry.get("report"):
            report = Report.from_json(json.dumps(entry["report"]))
            clocks = ", ".join(
                f"{clock.name} {clock.wanted:g}: {report.median(clock.name):.1f}" for clock in report.chosen.clocks
            )
            shape = report.parameters
            nic = f"{shape['width']} bits, {shape['enis']} ENI{'s' if shape['enis'] > 1 else ''}"
            nic += f" of {shape['sessions']} session{'s' if shape['sessions'] > 1 else ''}"
            nic += f", frames to {shape['longest']:,} bytes"
            use = [f"{used:,} ({used / available:.0%})" for used, available in report.chosen.use.values()]
            hashes = report.hashes
            commit = hashes["git"] if int(hashes["git"], 16) else "no commit"
            built = f"`{hashes['bitstream'][:12]}`, seed {report.taken} of {len(report.seeds)}, at {commit}"
            cells = [nic, *use, clocks, built]
        label, simulated = f"{board.name} {option}".rstrip(), SIMULATED.get(board.ports, "no")
        row = [label, board.device, str(board.ports), *cells[:5], simulated, cells[5], ran]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join([*lines, ""])


def main(arguments: list[str]) -> int:
    if arguments == ["--list"]:
        print("\n".join(f"{board.name} {option}".rstrip() for board, option in BUILT.values()))
        return 0
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    known = json.loads(PUBLISHED.read_text(encoding="utf-8")) if PUBLISHED.exists() else {}
    published, lines = publish(known, BUILDS)
    PUBLISHED.write_text(json.dumps(published, indent=1) + "\n", encoding="utf-8")
    for line in lines:
        print(line, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
