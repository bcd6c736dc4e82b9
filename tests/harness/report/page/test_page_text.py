"""The page of a run as text: its sums are those of the verdict file, and nothing of a capture or policy is markup."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from tests.harness.commands.cli_kit import DOCUMENTS, FRAMES, output_of, run, use_faulty, write_capture, write_policy
from tests.harness.report.page.page_kit import Page, page_of

VERDICTS, SESSIONS, RULES, TALKERS = "Verdicts", "Sessions", "Rules", "Who was not mirrored, and why"


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return page_of(tmp_path, write_capture(tmp_path, FRAMES * 3), write_policy(tmp_path))


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]


def summed(lines: list[dict], key: str, value: str | None = None) -> dict[str, str]:
    """As the page writes numbers; those without the key left out."""
    sums: Counter[str] = Counter()
    for line in lines:
        if line[key] is not None:
            sums[line[key]] += 1 if value is None else line[value]
    return {name: f"{count:,}" for name, count in sums.items()}


def test_the_sums_are_those_of_the_verdict_file(page: Page, tmp_path: Path):
    lines = lines_of(tmp_path)
    assert len(lines) == 21
    offered = {"frames": "21", "bytes": f"{sum(line['length'] for line in lines):,}"}
    offered["bytes copied"] = f"{sum(line['copied'] for line in lines):,}"
    for column, value in (("frames", None), ("bytes", "length"), ("bytes copied", "copied")):
        shown = page.column(VERDICTS, column)
        assert shown.pop("offered") == offered[column]
        assert shown == summed(lines, "verdict", value)
    assert "21 frames offered = 21 verdicts" in page.text and "conserved" in page.text


def test_sessions_and_rules_are_those_of_the_verdict_file(page: Page, tmp_path: Path):
    lines = lines_of(tmp_path)
    mirrored = [line for line in lines if line["verdict"] == "mirrored"]
    assert page.column(SESSIONS, "copies") == summed(mirrored, "session")
    assert page.column(SESSIONS, "bytes of frames") == summed(mirrored, "session", "length")
    assert page.column(SESSIONS, "bytes copied") == summed(mirrored, "session", "copied")
    assert page.column(RULES, "frames") == summed(lines, "rule")
    assert page.column(RULES, "bytes") == summed(lines, "rule", "length")


def test_who_was_not_mirrored_is_everybody_else(page: Page, tmp_path: Path):
    others = [line for line in lines_of(tmp_path) if line["verdict"] != "mirrored"]
    head, *rows = page.tables[TALKERS]
    frames, octets, why = (head.index(name) for name in ("frames", "bytes", "why"))
    assert sum(int(row[frames]) for row in rows) == len(others)
    assert sum(int(row[octets]) for row in rows) == sum(line["length"] for line in others)
    assert ["10.0.9.9", "10.0.0.10", "ingress"] in [row[:3] for row in rows]
    assert {row[why].partition(",")[0] for row in rows} == {line["verdict"] for line in others}


def test_never_hit_and_shadowed_rules_are_named(tmp_path: Path):
    documents = copy.deepcopy(DOCUMENTS)
    rules = documents["TrafficMirrorFilters"][0]["IngressFilterRules"]
    rules.append({**rules[1], "TrafficMirrorFilterRuleId": "tmfr-4", "RuleNumber": 40})
    rules.append({**rules[1], "TrafficMirrorFilterRuleId": "tmfr-5", "RuleNumber": 50, "Protocol": 47})
    del rules[-1]["DestinationPortRange"]
    page = page_of(tmp_path, write_capture(tmp_path), write_policy(tmp_path, documents))
    notes = page.column(RULES, "note")
    assert notes == {"tmfr-1": "", "tmfr-2": "", "tmfr-4": "shadowedby rule 20", "tmfr-5": "never hit", "tmfr-3": ""}


def test_a_sample_opens_with_its_walk_and_its_layers(page: Page, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    steps = output_of(capsys, "explain", "-r", str(tmp_path / "in.pcap"), "-c", str(tmp_path / "mirror.json"))
    assert steps.partition("\n")[2].strip() in page.text
    layers = page.tables["Samples"]
    assert ["34", "source port", "1000", "03 e8"] in layers  # of the frame
    assert ["46", "network identifier (VNI)", "42", "00 00 2a"] in layers  # of its copy
    assert "reject: matches" in page.text and "never mirrored" in page.text


def test_what_was_cut_is_said_by_length_and_limit(page: Page):
    lengths, sessions = page.tables["Lengths and truncation"], page.tables["Lengths and truncation"][-1]
    assert ["to 64", "3", "0"] in lengths and ["to 255", "0", "3"] in lengths
    assert sessions == ["tms-1", "100", "8,961", "100", "3", "3", "0", "0"]


def test_hostile_names_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of files, that is: ids and ARNs of another form than AWS's are refused before there is a page."""
    monkeypatch.chdir(tmp_path)
    capture = Path(write_capture(tmp_path)).rename("""<script>alert(2)<b a='"&.pcap""")
    Path(write_policy(tmp_path)).rename("<img src=x onerror=alert(1)>")
    files = ("-r", str(capture), "-c", "<img src=x onerror=alert(1)>", "--verdicts", "javascript:alert(3)")
    assert run("mirror", *files, "--report", ".") == 0
    page = Page(Path("index.html").read_text(encoding="utf-8"))
    assert not {"script", "b", "img"} & page.tags
    assert all(each in page.text for each in files[1::2])
    assert [link for link in page.links if not link.startswith("#")] == ["javascript%3Aalert%283%29"]


def test_a_name_that_is_no_text_is_shown_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    verdicts = os.fsdecode(b"caf\xe9.jsonl")
    arguments = ("-r", write_capture(tmp_path), "-c", write_policy(tmp_path), "--verdicts", verdicts)
    assert run("mirror", *arguments, "--report", ".") == 0
    page = Page(Path("index.html").read_text(encoding="utf-8"))
    assert "caf%E9.jsonl" in page.links and "caf\\udce9.jsonl" in page.text


def test_nothing_comes_from_elsewhere(page: Page, tmp_path: Path):
    assert not {"script", "link", "img", "iframe", "object", "form"} & page.tags
    assert "default-src 'none'" in (tmp_path / "report" / "index.html").read_text()
    assert [link for link in page.links if not link.startswith("#")] == ["../copies.pcapng", "../verdicts.jsonl"]


def test_json_on_stdout_stays_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ("-r", write_capture(tmp_path), "-c", write_policy(tmp_path), "--report", str(tmp_path))
    assert run("mirror", *arguments, "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["offered"] == 7 and said.err.endswith(f"page: {tmp_path}/index.html\n")
    assert run("mirror", *arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"page: {tmp_path}/index.html"


def test_hints_and_settings_of_the_run_are_on_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    strangers = [FRAMES[5]] * 9
    more = ("--segment", "1400", "--both-sides")
    page = page_of(tmp_path, write_capture(tmp_path, strangers), write_policy(tmp_path), *more)
    hints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hint: ")]
    assert hints and all(hint in page.text for hint in hints)
    assert "direction auto, both sides, segments of 1,400 bytes" in page.text


def test_an_engine_that_differs_has_a_page_that_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    use_faulty(monkeypatch, lambda result: result.outputs.pop())
    page = page_of(tmp_path, write_capture(tmp_path), write_policy(tmp_path), "--engine", "verilator", code=1)
    assert "agreement: NO, 1 differences between golden and verilator" in page.text
    assert "frame 2: copies: golden 1, verilator 0" in page.text


def test_a_damaged_capture_has_a_page_that_says_so(tmp_path: Path):
    capture = Path(write_capture(tmp_path))
    capture.write_bytes(capture.read_bytes()[:-3])
    page = page_of(tmp_path, str(capture), write_policy(tmp_path), code=1)
    assert "damaged" in page.text and "6 frames offered" in page.text


def test_what_cannot_be_a_report_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    given = ("mirror", "-r", write_capture(tmp_path), "-c", write_policy(tmp_path))
    for wrong in (given[2], given[2] + "/below", ""):
        assert run(*given, "--report", wrong) == 2
        assert "cannot be made a folder" in capsys.readouterr().err
    assert run(*given, "--report", str(tmp_path), "--verdicts", str(tmp_path / "index.html")) == 2
    assert "both write" in capsys.readouterr().err
    capture = Path(given[2]).rename(tmp_path / "index.html")
    assert run("mirror", "-r", str(capture), *given[3:], "--report", str(tmp_path)) == 2
    assert "is the file that -r reads" in capsys.readouterr().err


def test_an_empty_capture_has_no_page(tmp_path: Path):
    folder = tmp_path / "report" / "page"
    assert run("mirror", "-r", write_capture(tmp_path, []), "-c", write_policy(tmp_path), "--report", str(folder)) == 5
    assert not folder.parent.exists()
