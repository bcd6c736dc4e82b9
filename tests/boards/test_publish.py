"""What is published of boards: good reports of the bitstreams beside them, and nothing that is not so."""

from __future__ import annotations

import hashlib
import json

from halfsilver.boards import BOARDS
from halfsilver.boards.publish import PUBLISHED, board_table, publish
from halfsilver.boards.report import Report, read_seed
from tests.boards.test_report import WANTED, nextpnr

NAME = "colorlight-5a-75b"
PARAMETERS = {"width": 32, "enis": 1, "longest": 1900}


def lay(folder, content=b"bits", sync=80.0, name=NAME):
    """A build of a board."""
    seeds = tuple(read_seed(seed, nextpnr(sync=sync), WANTED) for seed in (1, 2, 3))
    hashes = {"bitstream": hashlib.sha256(b"bits").hexdigest(), "gateware": "0", "constraints": "0"}
    report = Report(name, BOARDS[name].device, PARAMETERS, seeds, 2, 0.05, {"nextpnr": "1"}, hashes)
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "report.json").write_text(report.to_json())
    (folder / name / f"{name}.bit").write_bytes(content)


def test_a_good_build_is_published(tmp_path):
    lay(tmp_path)
    known, lines = publish({}, tmp_path, "abc")
    assert known[NAME]["commit"] == "abc" and known[NAME]["report"]["taken"] == 2
    assert [line.split(":")[0] for line in lines] == [name for name in BOARDS if name != NAME]
    row = next(line for line in board_table(known).splitlines() if NAME in line).split(" | ")
    assert (
        "32 bits, 1 ENI, frames to 1,900 bytes" in row and "net_rx 125: 150.0" in row[7] and "sync 62.5: 80.0" in row[7]
    )
    assert f"`{hashlib.sha256(b'bits').hexdigest()[:12]}`, seed 2 of 3, at abc" in row and row[-1] == "no |"


def test_what_was_known_stays_where_nothing_new_is(tmp_path):
    lay(tmp_path)
    known, _ = publish({}, tmp_path, "abc")
    again, lines = publish(known, tmp_path / "none", "def")
    assert again == known and len(lines) == len(BOARDS)
    assert publish(known, tmp_path, "def")[0] == known, "the same build, by a later commit"
    lay(tmp_path, sync=90.0)
    assert publish(known, tmp_path, "def")[0][NAME]["commit"] == "def"


def test_a_bench_that_saw_it_is_kept(tmp_path):
    lay(tmp_path)
    bench = {"date": "2027-01-02", "bitstream": "fedcba9876543210"}
    known, _ = publish({NAME: {"report": None, "commit": None, "bench": bench}}, tmp_path, "abc")
    assert known[NAME]["bench"] == bench
    assert "| 2027-01-02, `fedcba987654` |" in board_table(known)


def test_what_is_not_good_is_not_published(tmp_path):
    lay(tmp_path, content=b"other bits")
    known, lines = publish({}, tmp_path, "abc")
    assert known[NAME]["report"] is None and f"{NAME}: not published: bitstream and report differ" in lines
    lay(tmp_path, sync=63.0)
    known, lines = publish({}, tmp_path, "abc")
    assert known[NAME]["report"] is None and any("median margin" in line for line in lines)


def test_a_board_without_a_report_is_not_said_to_be_built():
    rows = board_table({}).splitlines()[2:]
    assert len(rows) == len(BOARDS) and all(row.endswith("| no | no |") for row in rows)


def test_what_the_page_says_is_good():
    if not PUBLISHED.exists():
        return
    for name, entry in json.loads(PUBLISHED.read_text()).items():
        if entry["report"] is not None:
            report = Report.from_json(json.dumps(entry["report"]))
            assert report.board == name and report.problems == [] and report.device == BOARDS[name].device
