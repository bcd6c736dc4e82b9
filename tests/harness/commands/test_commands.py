"""The other commands: explain, diff, check, regs, doctor, list; and the example capture."""

import json
import subprocess
import sys

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapReader

from halfsilver.boards import BOARDS
from halfsilver.harness.commands.card import doctor
from halfsilver.harness.verdict import Verdict
from tests.harness.commands.cli_kit import ANSWERS, DOCUMENTS, FRAMES, ROOT, output_of, run, write_capture, write_policy


def changed(number: int, offset: int) -> list[bytes]:
    """The frames, one byte of one of them changed."""
    frames = [bytearray(frame) for frame in FRAMES]
    frames[number][offset] ^= 0xFF
    return [bytes(frame) for frame in frames]


# explain


def test_explain_walks_the_rules(paths, capsys):
    text = output_of(capsys, "explain", "-r", paths[0], "-c", paths[1])
    assert "frame 1 of" in text and "verdict: mirrored" in text and "100 of 254 bytes" in text
    assert text.index("rule 10") < text.index("rule 20")


@pytest.mark.parametrize("number", range(1, 8))
def test_explain_gives_the_verdict_of_any_frame(paths, capsys, number):
    document = json.loads(output_of(capsys, "explain", "-r", paths[0], "-c", paths[1], "-n", str(number), "--json"))
    assert document["verdict"]["frame"] == document["frame"] == number
    assert document["verdict"]["verdict"] == ANSWERS[number - 1][0]
    assert document["steps"][-1].startswith(f"verdict: {ANSWERS[number - 1][0]}")
    assert (document["copy"] is not None) == (ANSWERS[number - 1][0] == "mirrored")


@pytest.mark.parametrize(
    ("number", "code", "message"), [("8", 2, "its frames are 1 to 7"), ("0", 2, "numbered from 1")]
)
def test_explain_of_a_frame_that_is_not_there(paths, capsys, number, code, message):
    assert run("explain", "-r", paths[0], "-c", paths[1], "-n", number) == code
    assert message in capsys.readouterr().err


def test_explain_of_an_empty_capture(paths):
    assert run("explain", "-r", write_capture(paths[2], [], "none.pcap"), "-c", paths[1]) == 5


@pytest.mark.simulation
def test_explain_side_by_side(paths, capsys):
    pytest.importorskip("halfsilver.sim.engine", reason="the Verilator engine is not there")
    arguments = ("explain", "-r", paths[0], "-c", paths[1], "--engine", "verilator")
    rows = [line.split() for line in output_of(capsys, *arguments).splitlines()]
    assert ["copied", "100", "100"] in rows and ["rule", "tmfr-2", "tmfr-2"] in rows
    document = json.loads(output_of(capsys, *arguments, "--json"))
    assert document["agreement"] is True
    assert document["verilator"]["copy"] == document["copy"]


# diff


def test_diff_of_equal_captures(paths, capsys):
    text = output_of(capsys, "diff", paths[0], write_capture(paths[2], name="b.pcap"))
    assert text.splitlines()[-1] == "the same"


def test_diff_names_packet_offset_and_field(paths, capsys):
    other = write_capture(paths[2], changed(2, 22), "b.pcap")  # frame 3: time to live
    text = output_of(capsys, "diff", paths[0], other, code=1)
    assert "first difference: packet 3, byte 22, IPv4 time to live: 0x40 and 0xbf" in text
    document = json.loads(output_of(capsys, "diff", paths[0], other, "--json", code=1))
    assert (document["same"], document["packets"], document["differing"]) == (False, [7, 7], 1)
    first = document["first_difference"]
    assert (first["packet"], first["offset"], first["field"]) == (3, 22, "IPv4 time to live")


def test_diff_of_different_lengths_and_counts(paths, capsys):
    shorter = write_capture(paths[2], [FRAMES[0][:-1], *FRAMES[1:]], "b.pcap")
    assert "packet 1, byte 253, end of frame" not in (text := output_of(capsys, "diff", paths[0], shorter, code=1))
    assert "packet 1, byte 253, TCP payload: 254 bytes and 253 bytes" in text
    fewer = write_capture(paths[2], FRAMES[:-2], "c.pcap")
    text = output_of(capsys, "diff", paths[0], fewer, code=1)
    assert "different: 2 packets" in text and "packet 6, presence: 34 bytes and absent" in text


def test_diff_of_timestamps(paths, capsys):
    later = write_capture(paths[2], name="b.pcap", start=1_700_000_001)
    text = output_of(capsys, "diff", paths[0], later, code=1)
    assert "packet 1, timestamp: 1700000000.123456789 and 1700000001.123456789" in text
    assert run("diff", "--ignore-timestamps", paths[0], later) == 0


def test_diff_of_nothing_and_of_damage(paths, capsys):
    empty = write_capture(paths[2], [], "none.pcap")
    assert run("diff", empty, empty) == 5
    cut = paths[2] / "cut.pcap"
    cut.write_bytes((paths[2] / "in.pcap").read_bytes()[:-1])
    assert run("diff", str(cut), str(cut)) == 1
    assert "damaged at byte offset" in capsys.readouterr().err
    assert run("diff", paths[0], str(paths[2] / "absent")) == 2


# check


def test_check_of_a_good_policy(paths, capsys):
    assert "0 errors" in output_of(capsys, "check", paths[1])


def test_check_lists_all_errors(tmp_path, capsys):
    documents = json.loads(json.dumps(DOCUMENTS))
    documents["TrafficMirrorSessions"][0] |= {"SessionNumber": 0, "VirtualNetworkId": 1 << 24}
    path = write_policy(tmp_path, documents)
    text = output_of(capsys, "check", path, code=1)
    assert "SessionNumber" in text and "VirtualNetworkId" in text and "2 errors" in text
    document = json.loads(output_of(capsys, "check", path, "--json", code=1))
    assert document["errors"] == 2
    assert {problem["severity"] for problem in document["problems"]} == {"error"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{,}", "line 1 column 2: is not JSON"),
        (b'{"Vpcs": "\xff"}', "byte 10: is not utf-8 text"),
        (b"", "line 1 column 1: is not JSON"),
        (b"[" * 100_000, "mirror.json: is nested too deeply"),
    ],
)
def test_check_of_what_is_no_json(tmp_path, capsys, content, message):
    path = tmp_path / "mirror.json"
    path.write_bytes(content)
    assert run("check", str(path)) == 2
    assert message in capsys.readouterr().err
    assert run("check", str(tmp_path / "absent.json")) == 2


# regs, doctor, list


@pytest.mark.parametrize(("form", "sign"), [("md", "| "), ("c", "#define"), ("json", "0x48534D31"), ("rdl", "addrmap")])
def test_regs(capsys, form, sign):
    pytest.importorskip("halfsilver.hdl.layout.register_formats", reason="the register map is not there")
    text = output_of(capsys, "regs", "--format", form)
    if form == "json":
        json.loads(text)
    else:
        assert sign in text
    assert "GENERATION" in text.upper()


def test_regs_of_the_card(capsys):
    document = json.loads(output_of(capsys, "regs", "--map", "card", "--json"))
    assert document["registers"][0] | {"fields": []} == {
        "name": "CARD_ID",
        "address": 0x800,
        "access": "ro",
        "reset": 0x48534331,
        "description": "Says that these registers are there.",
        "fields": [],
    }


def test_doctor_says_pass_or_missing(capsys, monkeypatch):
    text = output_of(capsys, "doctor")
    assert ["scapy", "2.8.0", "PASS"] in [line.split()[:3] for line in text.splitlines()]
    missing = doctor.Tool("abacus", "counts", ("no-such-program",), "no-such-package", "no_such_module")
    monkeypatch.setattr(doctor, "TOOLS", (*doctor.TOOLS, missing))
    assert run("doctor") == 3
    output = capsys.readouterr()
    assert ["abacus", "-", "MISSING", "counts"] in [line.split() for line in output.out.splitlines()]
    assert "missing: abacus" in output.err
    document = json.loads(output_of(capsys, "doctor", "--json", code=3))
    assert document["ready"] is False
    assert {tool["name"]: tool["version"] for tool in document["tools"]}["abacus"] is None


def test_list(paths, capsys, monkeypatch):
    monkeypatch.setenv("HALFSILVER_CAPTURES", str(paths[2]))
    document = json.loads(output_of(capsys, "list", "--json"))
    engines = [engine["name"] for engine in document["engines"]]
    assert engines == ["golden", "verilator", "virtual", "board:NAME", "labgrid://PLACE", "replay:FILE"]
    assert any(capture.endswith("in.pcap") for capture in document["captures"])
    assert "golden" in output_of(capsys, "list")


def test_list_has_the_boards(capsys):
    boards = {board["name"]: board for board in json.loads(output_of(capsys, "list", "--json"))["boards"]}
    assert boards.keys() == BOARDS.keys()
    assert boards["versa-ecp5-5g"]["device"] == "LFE5UM5G-45F-8" and boards["ecpix5-85f"]["ports"] == 1
    rows = {line.split()[0]: line for line in output_of(capsys, "list").splitlines() if line}
    assert rows["colorlight-5a-75b"].endswith("it has no USB")


@pytest.mark.parametrize("arguments", [(), ("fly",), ("serve",), ("regs", "--format", "pdf"), ("check",)])
def test_wrong_commands(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    assert not list(tmp_path.iterdir())


# The example capture


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    script = ROOT / "examples" / "make_example.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, timeout=120)
    return folder


@pytest.mark.slow
def test_example_is_a_few_thousand_varied_frames(example):
    frames = [data for data, _ in RawPcapReader(str(example / "example.pcap"))]
    assert 2000 < len(frames) < 10_000
    lengths = {len(frame) for frame in frames}
    assert min(lengths) == 1 and 9000 in lengths and max(lengths) == 9217
    ethertypes = {frame[12:14] for frame in frames if len(frame) >= 14}
    assert {b"\x08\x00", b"\x86\xdd", b"\x08\x06", b"\x81\x00", b"\x88\xa8", b"\x88\xcc"} <= ethertypes
    assert any(frame[12:14] == b"\x08\x00" and Ether(frame)[IP].frag for frame in frames if len(frame) > 34)


@pytest.mark.slow
def test_example_has_every_verdict_a_capture_can_lead_to(example, capsys):
    arguments = ("mirror", "-r", str(example / "example.pcap"), "-c", str(example / "mirror.json"), "--json")
    summary = json.loads(output_of(capsys, *arguments))
    impossible = {Verdict.DROPPED, Verdict.SAMPLED_OUT, Verdict.RATE_LIMITED, Verdict.CONGESTED}
    assert set(summary["verdicts"]) == {str(verdict) for verdict in Verdict if verdict not in impossible}
    sessions = {each["session"] for each in summary["counters"]["sessions"]}
    assert len(sessions) == 3  # the fourth has its target down


@pytest.mark.slow
def test_example_is_the_same_every_time(example, tmp_path):
    script = ROOT / "examples" / "make_example.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=120)
    assert (tmp_path / "example.pcap").read_bytes() == (example / "example.pcap").read_bytes()


def test_asking_the_example_for_help_makes_nothing(tmp_path):
    command = [sys.executable, str(ROOT / "examples" / "make_example.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, check=True, timeout=120, capture_output=True, text=True)
    assert "folder" in done.stdout and not list(tmp_path.iterdir())
