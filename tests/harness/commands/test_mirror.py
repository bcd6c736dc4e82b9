"""``halfsilver mirror``: copies, verdicts, sums, exit codes."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from halfsilver.harness.records import Output, Tally
from halfsilver.harness.verdict import Direction, Verdict
from tests.harness.commands.cli_kit import (
    ANSWERS,
    COLLECTOR,
    DOCUMENTS,
    FRAMES,
    START,
    WEB,
    files,
    mirror_it,
    read_copies,
    run,
    use_faulty,
    write_capture,
    write_policy,
)


def test_copies_are_vxlan_in_order_with_time_and_verdict(paths):
    out = paths[2] / "out.pcapng"
    assert mirror_it(paths, "-w", str(out)) == 0
    copies = read_copies(out.read_bytes())
    assert len(copies) == 2
    for number, (copy, length) in enumerate(zip(copies, (100, 54), strict=True)):
        assert (copy[Ether].src, copy[Ether].dst) == (WEB, COLLECTOR)
        assert (copy[IP].src, copy[IP].dst, copy[IP].ttl) == ("10.0.0.10", "10.0.0.40", 255)
        assert (copy[UDP].dport, copy[VXLAN].vni) == (4789, 42)
        assert bytes(copy[VXLAN].payload) == FRAMES[number][:length]
        assert int(copy.time * 10**9) == START * 10**9 + 123_456_789 + number
        assert json.loads(copy.comments[1])["frame"] == number + 1
    assert [copy.comments[0] for copy in copies] == [
        b"mirrored by rule 20, session 1, 100 of 254 bytes",
        b"mirrored by rule 30, session 1, 54 of 54 bytes",
    ]


def test_verdict_lines(paths):
    lines_file = paths[2] / "v.jsonl"
    assert mirror_it(paths, "--verdicts", str(lines_file)) == 0
    lines = [json.loads(line) for line in lines_file.read_text().splitlines()]
    keys = [
        "frame",
        "direction",
        "eni",
        "verdict",
        "service",
        "session",
        "rule",
        "rule_number",
        "length",
        "copied",
        "generation",
    ]
    assert all(list(line) == keys for line in lines)
    for number, (line, answer) in enumerate(zip(lines, ANSWERS, strict=True), 1):
        verdict, direction, service, session, rule, rule_number, length, copied = answer
        eni = None if verdict in ("malformed", "no-eni") else "eni-10"
        assert list(line.values()) == [
            number,
            direction,
            eni,
            verdict,
            service,
            session,
            rule,
            rule_number,
            length,
            copied,
            1,
        ]


def test_json_summary(paths, capsys):
    assert mirror_it(paths, "--json", "--seed", "77") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["offered"], summary["mirrored_bytes"], summary["conserved"]) == (7, 154, True)
    assert (summary["seed"], summary["engine"]) == (77, "golden")
    assert summary["verdicts"] == dict(Counter(answer[0] for answer in ANSWERS))
    sessions = summary["counters"]["sessions"]
    assert [(each["direction"], each["eni"], each["session"], each["frames"]) for each in sessions] == [
        ("ingress", "eni-10", "tms-1", 1),
        ("egress", "eni-10", "tms-1", 1),
    ]
    assert sum(each["bytes"] for each in sessions) == 154
    assert {(each["skipped_frames"], each["skipped_bytes"]) for each in sessions} == {(0, 0)}
    (metrics,) = summary["counters"]["metrics"]
    assert {name: value for name, value in metrics.items() if value} == {
        "eni": "eni-10",
        "NetworkMirrorIn": sessions[0]["bytes"],
        "NetworkPacketsMirrorIn": 1,
        "NetworkMirrorOut": sessions[1]["bytes"],
        "NetworkPacketsMirrorOut": 1,
    }
    assert len(metrics) == 9
    ports = {each["port"]: each["frames"] for each in summary["counters"]["ports"]}
    assert ports["network-in"] == ports["host-out"] and ports["host-in"] == ports["network-out"]
    assert ports["network-in"] + ports["host-in"] == summary["offered"] and ports["copies-out"] == 2
    assert {(each["rule"], each["frames"], each["bytes"]) for each in summary["counters"]["rules"]} == {
        ("tmfr-2", 1, 100),
        ("tmfr-3", 1, 54),
        ("tmfr-1", 1, 42),
    }
    assert {
        (each["direction"], each["verdict"], each["frames"], each["bytes"]) for each in summary["counters"]["verdicts"]
    } == {
        ("ingress", "mirrored", 1, 100),
        ("egress", "mirrored", 1, 54),
        ("ingress", "rejected", 1, 42),
        ("ingress", "not-eligible", 1, 42),
        ("ingress", "no-match", 1, 54),
        ("ingress", "no-eni", 1, 34),
        ("ingress", "malformed", 1, 11),
    }


def test_table_for_people(paths, capsys):
    """Verdicts with the bytes of frames, whose sum is what was offered; sessions with the bytes copied."""
    assert mirror_it(paths) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["mirrored", "2", "308", "28.6", "%"] in [line.split() for line in lines]
    assert ["all", "7", str(sum(map(len, FRAMES))), "100.0", "%"] in [line.split() for line in lines]
    assert ["eni-10", "1", "tms-1", "42", "2", "154", "10.0.0.40"] in [line.split() for line in lines]
    assert any("seed 1" in line for line in lines)
    assert lines[-1] == "offered 7 (6 ingress + 1 egress) = sum over verdicts 7: conserved"


def test_two_runs_give_the_same_bytes(paths):
    for name in ("one", "two"):
        assert mirror_it(paths, "-w", str(paths[2] / name)) == 0
    assert (paths[2] / "one").read_bytes() == (paths[2] / "two").read_bytes()


def test_batches_change_nothing(paths, monkeypatch):
    assert mirror_it(paths, "-w", str(paths[2] / "one"), "--verdicts", str(paths[2] / "v1")) == 0
    monkeypatch.setattr("halfsilver.harness.commands.judging.BATCH_FRAMES", 2)
    assert mirror_it(paths, "-w", str(paths[2] / "two"), "--verdicts", str(paths[2] / "v2")) == 0
    assert (paths[2] / "one").read_bytes() == (paths[2] / "two").read_bytes()
    assert (paths[2] / "v1").read_bytes() == (paths[2] / "v2").read_bytes()


@pytest.mark.parametrize(
    ("options", "verdicts"),
    [
        (("--tap",), {"mirrored": 2, "rejected": 1, "not-eligible": 1, "no-match": 2, "malformed": 1}),
        (("--direction", "egress"), {"mirrored": 1, "no-eni": 5, "malformed": 1}),
        (
            ("--direction", "ingress"),
            {"mirrored": 1, "rejected": 1, "not-eligible": 1, "no-match": 1, "no-eni": 2, "malformed": 1},
        ),
    ],
)
def test_direction_and_tap(paths, capsys, options, verdicts):
    assert mirror_it(paths, "--json", *options) == 0
    assert json.loads(capsys.readouterr().out)["verdicts"] == verdicts


def test_terminal_reject(tmp_path, capsys):
    """A second session that accepts UDP takes what the first rejects, unless a reject is final."""
    documents = json.loads(json.dumps(DOCUMENTS))
    accept = documents["TrafficMirrorFilters"][0]["IngressFilterRules"][0] | {
        "TrafficMirrorFilterRuleId": "tmfr-9",
        "RuleAction": "accept",
    }
    documents["TrafficMirrorFilters"].append({"TrafficMirrorFilterId": "tmf-2", "IngressFilterRules": [accept]})
    documents["TrafficMirrorSessions"].append(
        documents["TrafficMirrorSessions"][0]
        | {
            "TrafficMirrorSessionId": "tms-2",
            "TrafficMirrorFilterId": "tmf-2",
            "SessionNumber": 2,
            "VirtualNetworkId": 43,
        }
    )
    paths = write_capture(tmp_path), write_policy(tmp_path, documents), tmp_path
    for options, mirrored in (((), 3), (("--terminal-reject",), 2)):
        assert mirror_it(paths, "--json", *options) == 0
        assert json.loads(capsys.readouterr().out)["verdicts"]["mirrored"] == mirrored


def test_eni_moves_multicast(tmp_path, capsys):
    documents = json.loads(json.dumps(DOCUMENTS))
    documents["NetworkInterfaces"].append(
        {"NetworkInterfaceId": "eni-30", "MacAddress": "0a:00:00:00:00:30", "PrivateIpAddress": "10.0.0.30"}
    )
    frame = bytes(Ether(src="0a:00:00:00:00:01", dst="01:00:5e:00:00:01") / IP(dst="224.0.0.1") / b"x")
    paths = write_capture(tmp_path, [frame]), write_policy(tmp_path, documents), tmp_path
    for options, verdict in (((), "no-match"), (("--eni", "eni-30"), "no-session")):
        assert mirror_it(paths, "--json", *options) == 0
        assert json.loads(capsys.readouterr().out)["verdicts"] == {verdict: 1}
    assert mirror_it(paths, "--eni", "eni-99") == 2


def test_empty_capture_is_never_green(paths, capsys):
    for name, content in (("none.pcap", []), ("zero.pcap", None)):
        path = write_capture(paths[2], content or [], name)
        if content is None:
            open(path, "wb").close()
        assert run("mirror", "-r", path, "-c", paths[1], "-w", str(paths[2] / "out")) == 5
        assert "holds no frame" in capsys.readouterr().err
        assert "out" not in files(paths[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-r", "IN", "-c", "CFG", "-w", "IN"), "is the file that -r reads"),
        (("-r", "IN", "-c", "CFG", "--verdicts", "CFG"), "is the file that -c reads"),
        (("-r", "IN", "-c", "CFG", "-w", "x", "--verdicts", "x"), "both name x"),
        (("-r", "IN", "-c", "CFG", "-w", "-", "--json"), "-w - and --json would mix"),
        (("-r", "IN", "-c", "CFG", "--full-rate"), "--full-rate needs --engine verilator"),
        (("-r", "IN", "-c", "CFG", "--engine", "abacus"), "invalid choice: 'abacus'"),
        (("-r", "IN"), "required: -c"),
        (("-r", "absent.pcap", "-c", "CFG"), "absent.pcap: No such file or directory"),
        (("-r", "IN", "-c", "absent.json"), "absent.json"),
        (("-r", "CFG", "-c", "CFG"), "not a pcap or pcapng file"),
        (("-r", "IN", "-c", "IN"), "not"),
        (("-r", "IN", "-c", "CFG", "-w", "absent/out.pcapng"), "absent/out.pcapng: cannot be written"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(paths, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(paths[2])
    before = files(paths[2])
    arguments = [{"IN": "in.pcap", "CFG": "mirror.json"}.get(each, each) for each in arguments]
    assert run("mirror", *arguments) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert message in last and "error: " in last
    assert files(paths[2]) == before


def test_agreement_is_reported(paths, capsys, monkeypatch):
    use_faulty(monkeypatch, lambda result: None)
    assert mirror_it(paths, "--engine", "verilator", "--json") == 0
    assert json.loads(capsys.readouterr().out)["agreement"] is True
    assert mirror_it(paths, "--engine", "verilator") == 0
    assert "golden and verilator give the same 7 verdicts, 2 copies and counters" in capsys.readouterr().out


def test_a_wrong_byte_is_found_and_named(paths, capsys, monkeypatch):
    def fault(result):
        wrong = bytearray(result.outputs[1].data)
        wrong[22] ^= 1  # the outer time to live, 255
        result.outputs[1] = Output(1, bytes(wrong))

    use_faulty(monkeypatch, fault)
    assert mirror_it(paths, "--engine", "verilator", "--seed", "5") == 1
    output = capsys.readouterr().out
    assert "frame 2: copy byte 22, outer IPv4 time to live: golden 0xff, verilator 0xfe" in output
    assert "seed 5" in output


def test_a_wrong_verdict_in_a_later_batch_has_its_frame_number(paths, capsys, monkeypatch):
    monkeypatch.setattr("halfsilver.harness.commands.judging.BATCH_FRAMES", 3)

    def fault(result):
        for index, record in enumerate(result.verdicts):
            if record.verdict is Verdict.NO_MATCH:
                result.verdicts[index] = replace(record, verdict=Verdict.NOT_IP)

    use_faulty(monkeypatch, fault)
    assert mirror_it(paths, "--engine", "verilator", "--json") == 1
    summary = json.loads(capsys.readouterr().out)
    assert summary["agreement"] is False
    assert summary["first_differences"] == ["frame 5: verdict: golden no-match, verilator not-ip"]


def test_a_verdict_too_few_is_a_difference(paths, capsys, monkeypatch):
    use_faulty(monkeypatch, lambda result: result.verdicts.pop())
    assert mirror_it(paths, "--engine", "verilator", "--json") == 1
    summary = json.loads(capsys.readouterr().out)
    assert summary["agreement"] is False and not summary["conserved"]


def test_a_lost_frame_is_not_conserved(paths, capsys, monkeypatch):
    def fault(result):
        del result.counters.verdicts[next(key for key in result.counters.verdicts if key[1] is Verdict.NO_ENI)]

    use_faulty(monkeypatch, fault)
    assert mirror_it(paths, "--engine", "verilator", "--json") == 1
    assert json.loads(capsys.readouterr().out)["conserved"] is False


def test_a_frame_that_did_not_pass_is_not_conserved(paths, capsys, monkeypatch):
    """Six frames come in from the network, one from the host."""

    def passing(ingress):
        def fault(result):
            result.production = {Direction.INGRESS: Tally(ingress, 1), Direction.EGRESS: Tally(1, 1)}

        return fault

    for ingress, code, line in ((6, 0, "7 out, unchanged"), (5, 1, "6 out, NOT ALL")):
        use_faulty(monkeypatch, passing(ingress))
        assert mirror_it(paths, "--engine", "verilator") == code
        assert f"production 7 frames in, {line}" in capsys.readouterr().out


def test_an_error_leaves_the_old_file_and_no_other(paths, monkeypatch):
    out = paths[2] / "out.pcapng"
    out.write_bytes(b"old")
    before = files(paths[2])

    def fault(result):
        raise KeyboardInterrupt

    use_faulty(monkeypatch, fault)
    assert mirror_it(paths, "--engine", "verilator", "-w", str(out), "--verdicts", str(paths[2] / "v")) == 130
    assert out.read_bytes() == b"old"
    assert files(paths[2]) == before


@pytest.mark.simulation
def test_the_gateware_agrees_on_a_small_capture(paths, capsys):
    pytest.importorskip("halfsilver.sim.engine", reason="the Verilator engine is not there")
    assert mirror_it(paths, "--engine", "verilator", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["agreement"], summary["conserved"], summary["copies"]) == (True, True, 2)
