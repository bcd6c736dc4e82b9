"""What is published of boards: good reports of the bitstreams beside them, and nothing that is not so."""

from __future__ import annotations

import hashlib
import json

from halfsilver.boards.card_build import design_of
from halfsilver.boards.publish import BUILT, PUBLISHED, board_table, main, publish
from halfsilver.boards.report import Report, read_seed
from tests.boards.test_report import WANTED, nextpnr

NAME = "colorlight-5a-75b"
PARAMETERS = {"width": 32, "enis": 1, "sessions": 3, "longest": 1900}


def lay(folder, content=b"bits", sync=80.0, name=NAME, git="0123abcd"):
    """A build of a board."""
    seeds = tuple(read_seed(seed, nextpnr(sync=sync), WANTED) for seed in (1, 2, 3))
    hashes = {"bitstream": hashlib.sha256(b"bits").hexdigest(), "gateware": "0", "constraints": "0", "git": git}
    report = Report(name, BUILT[name][0].device, PARAMETERS, seeds, 2, 0.05, {"nextpnr": "1"}, hashes)
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "report.json").write_text(report.to_json())
    (folder / name / f"{name}.bit").write_bytes(content)


def test_a_good_build_is_published(tmp_path):
    lay(tmp_path)
    known, lines = publish({}, tmp_path)
    assert known[NAME]["report"]["taken"] == 2
    assert [line.split(":")[0] for line in lines] == [name for name in BUILT if name != NAME]
    row = next(line for line in board_table(known).splitlines() if NAME in line).split(" | ")
    assert "32 bits, 1 ENI of 3 sessions, frames to 1,900 bytes" in row
    assert "net_rx 125: 150.0" in row[7] and "sync 62.5: 80.0" in row[7]
    assert f"`{hashlib.sha256(b'bits').hexdigest()[:12]}`, seed 2 of 3, at 0123abcd" in row and row[-1] == "no |"


def test_a_build_with_an_option_is_beside_its_board(tmp_path, capsys):
    lay(tmp_path)
    lay(tmp_path, sync=70.0, name=f"{NAME}-etherbone")
    known, _ = publish({}, tmp_path)
    plain, etherbone = [line for line in board_table(known).splitlines() if NAME in line]
    assert plain.startswith(f"| {NAME} |") and "sync 62.5: 80.0" in plain
    assert etherbone.startswith(f"| {NAME} --etherbone |") and "sync 62.5: 70.0" in etherbone
    assert main(["--list"]) == 0
    assert {NAME, f"{NAME} --etherbone"} < set(capsys.readouterr().out.splitlines())


def test_every_build_is_one_that_the_command_makes():
    for name, (board, option) in BUILT.items():
        assert option in ("", "--etherbone")
        assert design_of(board, etherbone=option == "--etherbone").name == name


def test_what_was_known_stays_where_nothing_new_is(tmp_path):
    lay(tmp_path)
    known, _ = publish({}, tmp_path)
    again, lines = publish(known, tmp_path / "none")
    assert again == known and len(lines) == len(BUILT)


def test_what_was_built_of_changed_sources_has_no_commit(tmp_path):
    lay(tmp_path, git="00000000")
    known, _ = publish({}, tmp_path)
    assert "seed 2 of 3, at no commit |" in board_table(known)


def test_a_bench_that_saw_it_is_kept(tmp_path):
    lay(tmp_path)
    bench = {"date": "2027-01-02", "bitstream": "fedcba9876543210"}
    known, _ = publish({NAME: {"report": None, "bench": bench}}, tmp_path)
    assert known[NAME]["bench"] == bench
    assert "| 2027-01-02, `fedcba987654` |" in board_table(known)


def test_what_is_not_good_is_not_published(tmp_path):
    lay(tmp_path, content=b"other bits")
    known, lines = publish({}, tmp_path)
    assert known[NAME]["report"] is None and f"{NAME}: not published: bitstream and report differ" in lines
    lay(tmp_path, sync=63.0)
    known, lines = publish({}, tmp_path)
    assert known[NAME]["report"] is None and any("median margin" in line for line in lines)


def test_a_board_without_a_report_is_not_said_to_be_built():
    rows = board_table({}).splitlines()[2:]
    assert len(rows) == len(BUILT) and all(row.endswith("| no | no |") for row in rows)


def test_what_the_page_says_is_good():
    if not PUBLISHED.exists():
        return
    for name, entry in json.loads(PUBLISHED.read_text()).items():
        if entry["report"] is not None:
            report = Report.from_json(json.dumps(entry["report"]))
            assert report.board == name and report.problems == [] and report.device == BUILT[name][0].device
