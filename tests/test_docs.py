"""Pages name only commands that exist; pictures and tables are those of their sources; how marked parts are made."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
}
README_LINES = 150
"""README is what is read in a minute; the rest has its pages."""
ABSENT = "docs/explanation/aws.md"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
FIXED_TARGETS = {
    "sim",
    "test",
    "test-long",
    "judges",
    "lint",
    "check",
    "coverage",
    "cocotb",
    "verilog",
    "synth",
    "bitstream",
    "bitstreams",
    "soak",
    "bench",
    "regs",
    "docs",
    "screenshots",
    "site",
    "clean",
    "help",
    "sim-all",
    "mutants",
    "suite",
    "load",
    "virtual",
    "formal",
    "mac",
    "man",
    "scenario",
}
TIMEOUT = 60


@pytest.fixture
def docs(monkeypatch):
    """The scripts of docs/, which is not a package."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("build_docs"), importlib.import_module("diagrams")


def test_the_readme_is_short():
    assert PAGES["README.md"].count("\n") <= README_LINES


def test_pages_name_only_make_targets_that_exist():
    named = {page: set(re.findall(r"(?:`|\$ )make ([a-z]+(?:-[a-z]+)*)", text)) for page, text in PAGES.items()}
    assert {"sim", "test"} <= named["README.md"]
    assert {page: targets - TARGETS for page, targets in named.items() if targets - TARGETS} == {}


def test_pages_name_only_subcommands_that_exist():
    """What is named as not there yet must not be there."""
    usage = subprocess.run(
        [sys.executable, "-m", "halfsilver.harness.cli", "--help"],
        cwd=ROOT,
        timeout=TIMEOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    present = set(re.findall(r"^    ([a-z]+)", usage, re.MULTILINE))
    promised, absent = PAGES[ABSENT].split("## What is not there yet")
    texts = {**PAGES, ABSENT: promised}
    named = {page: set(re.findall(r"(?:`|\$ |bin/)halfsilver ([a-z]+)", text)) for page, text in texts.items()}
    assert {"init", "explain", "mirror"} <= named["README.md"]
    assert {"init", "explain", "mirror", "check", "serve"} <= set().union(*named.values())
    assert {page: commands - present for page, commands in named.items() if commands - present} == {}
    assert not present & set(re.findall(r"[Cc]ommand `([a-z]+)`", absent.split("\n## ")[0]))


def test_pages_name_only_options_that_exist():
    """Of the commands that begin a line or a piece of code with `halfsilver`."""
    from halfsilver.harness.cli import build_parser

    commands = build_parser()._subparsers._group_actions[0].choices
    missing = []
    for page, text in PAGES.items():
        for command, words in re.findall(r"(?:`|\$ |bin/|^)halfsilver ([a-z-]+)((?: [^`\n|]+)*)", text, re.MULTILINE):
            if command in commands and command != "bench":
                known = {option for action in commands[command]._actions for option in action.option_strings}
                missing += [(page, command, each) for each in re.findall(r" (--?[a-z-]+)", words) if each not in known]
    assert missing == []


def test_make_help_lists_all_targets():
    assert TARGETS == FIXED_TARGETS
    shown = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, timeout=TIMEOUT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^  make ([a-z-]+) ", shown, re.MULTILINE)) == FIXED_TARGETS


@pytest.mark.parametrize("name", ["pipeline.svg", "packet.svg"])
def test_diagram_is_up_to_date_and_readable_on_dark_pages(docs, name):
    _, diagrams = docs
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == diagrams.DIAGRAMS[name](), "run `make docs`"
    svg = ElementTree.fromstring(committed)
    background = svg.find("{http://www.w3.org/2000/svg}rect")
    assert background is not None and background.get("width") == svg.get("width")
    assert "prefers-color-scheme: dark" in committed


def test_the_load_figure_is_that_of_its_numbers(docs):
    committed = (ROOT / "docs" / "load.svg").read_text(encoding="utf-8")
    assert committed == importlib.import_module("load_figure").load_figure(), "run `make docs`"
    points = json.loads((ROOT / "docs" / "load.json").read_text(encoding="utf-8"))["points"]
    assert len(points) == 15
    bars = [each for each in ElementTree.fromstring(committed).iter() if each.get("class") in ("kept", "outer")]
    skipping = sum(point["skipped"][0] > 0 for point in points)
    assert len(bars) == len(points) + skipping + 2


def test_packet_ruler_shows_the_offsets_of_rfc_7348():
    """Outer Ethernet 14, IPv4 20 or IPv6 40, UDP 8, VXLAN 8 (RFC 7348 section 5)."""
    svg = ElementTree.parse(ROOT / "docs" / "packet.svg")
    rows = {}
    for text in svg.iter("{http://www.w3.org/2000/svg}text"):
        rows.setdefault(text.get("y"), []).append(text.text)
    assert ["0", "14", "34", "42", "50", "50 + n"] in rows.values()
    assert ["0", "14", "54", "62", "70", "70 + n"] in rows.values()


def test_tables_are_up_to_date(docs):
    build_docs, _ = docs
    parts = [part for text in PAGES.values() for part in build_docs.MARKED.finditer(text) if part["kind"] == "table"]
    assert {part["what"] for part in parts} == set(build_docs.TABLES_OF)
    for part in parts:
        assert part[0] == part["mark"] + build_docs.table(part["what"]), "run `python docs/build_docs.py --quick`"


def test_every_page_with_a_marked_part_is_refreshed(docs):
    build_docs, _ = docs
    marked = {page for page, text in PAGES.items() if build_docs.MARKED.search(text)}
    assert {"README.md", "docs/api.md", "docs/how_to/aws_tools.md"} <= marked
    assert marked <= {str(page.relative_to(ROOT)) for page in build_docs.PAGES}


def test_every_output_shows_its_command(docs):
    build_docs, _ = docs
    for text in PAGES.values():
        for part in build_docs.MARKED.finditer(text):
            if part["kind"] == "output":
                assert part[0].startswith(f"{part['mark']}```console\n$ {part['what']}\n"), "run `make docs`"


def test_synthesis_table_has_a_line_per_core_and_block(docs):
    build_docs, _ = docs
    blocks = {
        "whole core": {"lut": 11311, "ff": 5550, "ebr": 9, "fmax": 158, "fmax_seeds": [160, 150.25, 158]},
        "parser": {"lut": 311, "ff": 555, "ebr": 0, "fmax": 201.5, "fmax_seeds": [201.5]},
    }
    results = {"64": {"name": "64-bit core", "part": "LFE5UM5G-85F-8", "clock": 156.25, "blocks": blocks}}
    lines = build_docs.synthesis_table(results).splitlines()
    assert lines[2:] == [
        "| 64-bit core | LFE5UM5G-85F-8 | whole core | 11,311 | 5,550 | 9 | 158.0 (160.0, 150.2, 158.0) | 156.25 |",
        "| 64-bit core | LFE5UM5G-85F-8 | parser | 311 | 555 | 0 | 201.5 | 156.25 |",
    ]


def test_classifier_table_has_a_line_per_build(docs):
    build_docs, _ = docs
    build = {"rules": 30, "enis": 4, "clocks": 1, "all_rules": 240, "lut": 1539, "ff": 3879, "ebr": 86}
    lines = build_docs.classifier_table(
        [{**build, "part": "45F", "fmax": 262.04}, {**build, "ebr": 344, "part": None, "fmax": None}]
    ).splitlines()
    assert lines[2:] == [
        "| 30 | 4 | 1 | 240 | 1,539 | 3,879 | 86 | 6.4 | 0.36 | 45F | 262.0 |",
        "| 30 | 4 | 1 | 240 | 1,539 | 3,879 | 344 | 6.4 | 1.43 | none |  |",
    ]
    assert build_docs.synthesis_table({"classifier": [build]}).count("\n") == 2


def test_refresh_replaces_only_marked_parts(docs):
    build_docs, _ = docs
    text = "a\n<!-- output: printf '1\\n2\\n' -->\nold\n<!-- end -->\nb\n"
    fresh, failures = build_docs.refresh(text, quick=False)
    assert not failures
    assert fresh == text.replace("old\n", "```console\n$ printf '1\\n2\\n'\n1\n2\n```\n")
    assert build_docs.refresh(text, quick=True) == (text, [])


def test_a_command_that_fails_leaves_its_part_as_it_was(docs):
    build_docs, _ = docs
    text = "<!-- output: exit 3 -->\nold\n<!-- end -->\n"
    assert build_docs.refresh(text, quick=False) == (text, ["'exit 3' ended with status 3"])


def test_a_command_whose_program_is_not_there_leaves_its_part_as_it_was(docs, monkeypatch, capsys):
    build_docs, _ = docs
    monkeypatch.setenv("PATH", "")
    text = "<!-- output: suricata -r x -->\nold\n<!-- end -->\n"
    assert build_docs.refresh(text, quick=False) == (text, [])
    assert "suricata is not installed" in capsys.readouterr().err


@pytest.fixture
def session(docs):
    """The script of the session in docs/how_to/aws_tools.md."""
    return importlib.import_module("session")


def test_every_part_of_the_session_is_on_its_page(docs, session):
    build_docs, _ = docs
    page = PAGES["docs/how_to/aws_tools.md"]
    named = {part["what"] for part in build_docs.MARKED.finditer(page) if part["kind"] == "session"}
    assert named == {"serve", *session.PARTS} and set(session.NEEDED) == set(session.PARTS)
    for part in build_docs.MARKED.finditer(page):
        for command in session.PARTS.get(part["what"], ()):
            assert f"\n$ {command}\n" in part[0], "run `python docs/build_docs.py --only session`"


def test_a_part_of_the_session_without_its_tool_stays_as_it_was(docs, session, monkeypatch, capsys):
    build_docs, _ = docs
    found = {"cli": "new\n", "terraform": session.ToolMissing("terraform is not installed")}
    monkeypatch.setattr(build_docs, "run_session", lambda: found)
    text = "<!-- session: cli -->\nold\n<!-- end -->\n<!-- session: terraform -->\nold\n<!-- end -->\n"
    assert build_docs.refresh(text, quick=False) == (text.replace("old", "new", 1), [])
    assert "terraform is not installed" in capsys.readouterr().err
    assert build_docs.refresh(text, quick=False, only="output") == (text, [])


def test_a_session_that_fails_says_why(docs, session, monkeypatch):
    build_docs, _ = docs

    def fail():
        raise session.SessionError("the server did not start")

    monkeypatch.setattr(build_docs, "run_session", fail)
    text = "<!-- session: cli -->\nold\n<!-- end -->\n"
    assert build_docs.refresh(text, quick=False) == (text, ["the session: the server did not start"])


def test_ids_port_and_folder_of_the_session_are_the_same_on_every_run(session):
    plain = session._Plain(Path("/tmp/x1"), "http://127.0.0.1:40123 serves")
    printed = (
        "tms-0123456789abcdef0 tmf-0123456789abcdef0 tms-0123456789abcdef1 tms-0123456789abcdef0\n"
        "eni-0a1b2c3d4e5f60010 http://127.0.0.1:40123/ /tmp/x1/state  \n"
    )
    assert plain.console(iter([("do it", printed)])) == (
        "```console\n$ do it\n"
        "tms-00000000000000001 tmf-00000000000000001 tms-00000000000000002 tms-00000000000000001\n"
        "eni-0a1b2c3d4e5f60010 http://127.0.0.1:4510/ /home/you/halfsilver/state\n```\n"
    )


def test_a_command_of_the_session_that_goes_wrong_ends_it(session, tmp_path):
    with session._Shell(tmp_path, "") as shell:
        assert shell.run("x=5; echo a") == "a\n" and shell.run("echo $x") == "5\n"
        with pytest.raises(session.SessionError, match="'ls nothing' ended with status 2"):
            shell.run("ls nothing")
        with pytest.raises(session.SessionError, match="the shell ended"):
            shell.run("exit 3")


def steps():
    """(command, what the tutorial shows of it), in order."""
    found = []
    for part in re.finditer(r"<!-- tutorial: ([^\n]+) -->\n(.*?)<!-- end -->", PAGES["docs/tutorial.md"], re.DOTALL):
        found.append((part[1], part[2]))
    return found


@pytest.mark.slow
def test_the_tutorial_prints_what_it_shows(docs, tmp_path):
    """All steps but that of the gateware, whose model takes minutes to compile where it is not built yet."""
    build_docs, _ = docs
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    folder = build_docs.tutorial_folder(tmp_path)
    quick = [step for step in steps() if "verilator" not in step[0]]
    assert len(quick) >= 6
    for command, shown in quick:
        assert build_docs.output(command, folder) == shown, "run `docs/build_docs.py --only tutorial`"


@pytest.mark.slow
def test_the_three_lines_of_the_readme_run(docs, tmp_path):
    build_docs, _ = docs
    (block,) = re.findall(r"```sh\n(\.venv/bin/halfsilver init.*?)```", PAGES["README.md"], re.DOTALL)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    build_docs.output("python examples/make_small.py my.pcap", tmp_path)
    shown = [build_docs.output(line.removeprefix(".venv/bin/"), tmp_path) for line in block.splitlines()]
    assert len(shown) == 3
    assert "14 copied" in shown[0] and "copies: 14 in copies.pcapng" in shown[1] and "verdict: not-eligible" in shown[2]


def test_the_tutorials_gateware_agrees():
    (shown,) = [shown for command, shown in steps() if "verilator" in command]
    assert "agreement: golden and verilator give the same" in shown and "unchanged" in shown


def test_the_page_of_the_installation_has_all_extras():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    rows = re.findall(r"^\| (`[a-z`, ]+`) \|", PAGES["docs/how_to/install.md"], re.MULTILINE)
    assert set(re.findall(r"`([a-z]+)`", " ".join(rows))) == set(extras)
