"""The pytest plugin as its users have it: engines by option and variable, abilities, rigs, JUnit, pages of failures."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from html import unescape
from pathlib import Path

import pytest
from scapy.utils import PcapNgReader

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags
from halfsilver.harness.suite.engines import EngineUnderTest
from halfsilver.harness.suite.nic import Nic
from halfsilver.harness.suite.page import page
from tests.suite.case_kit import ALL, WAY, flow_of, into, outer_headers, policy, rules, tcp
from tests.suite.suite_kit import Faulty, no_fault

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
POLICY = policy(rules(ALL, ALL))
FRAME = bytes(into(tcp()))
COPY = bytes.fromhex("".join(outer_headers(WAY, flow_of(into(tcp())), FRAME))) + FRAME
WRONG = COPY[:22] + b"\x40" + COPY[23:]

ONE_TEST = f"""
    def test_copy(halfsilver_nic):
        nic = halfsilver_nic({POLICY!r})
        nic.send_packet({FRAME!r})
        nic.verify_copy({COPY!r})
    """
CONFTEST = """
    import pytest
    from halfsilver.harness.suite.engines import Engines
    from tests.suite import suite_kit

    @pytest.fixture(scope="session")
    def halfsilver_engines():
        return {engines}
    """


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """In this process, and without what a run of its own would spend most of its time on: rewriting our assertions."""
    usual = ("--assert=plain", "-p", "no:xdist", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    return pytester.runpytest_inprocess(*usual, *arguments)


def test_a_test_of_somebodys_own(pytester):
    pytester.makepyfile(ONE_TEST)
    run(pytester).assert_outcomes(passed=1)
    assert not (pytester.path / "build").exists()


@pytest.mark.parametrize("option", ["--hil-engine", "--halfsilver-engine"])
def test_an_unknown_engine_ends_the_run(pytester, option):
    pytester.makepyfile(ONE_TEST)
    result = run(pytester, option, "goldne")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--hil-engine: there is no engine 'goldne'; did you mean golden?*"])


def test_the_variable_names_the_engine_and_the_option_wins(pytester, monkeypatch):
    pytester.makepyfile(
        """
        def test_name(halfsilver_engine_name):
            assert halfsilver_engine_name == "golden"
        """
    )
    monkeypatch.setenv("HALFSILVER_ENGINE", "verilator")
    run(pytester).assert_outcomes(failed=1)
    run(pytester, "--hil-engine", "golden").assert_outcomes(passed=1)
    monkeypatch.setenv("HALFSILVER_ENGINE", "goldne")
    result = run(pytester)
    result.stderr.fnmatch_lines(["*HALFSILVER_ENGINE: there is no engine 'goldne'; did you mean golden?*"])


def test_only_what_is_behind_wires_is_recorded(pytester):
    pytester.makepyfile(ONE_TEST)
    for engine in ([], ["--hil-engine", "golden"]):
        result = run(pytester, "--hil-record", "run.jsonl", *engine)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*--hil-record is for engines behind wires*"])
    assert not (pytester.path / "run.jsonl").exists()


def test_a_run_is_recorded(pytester):
    """Also one that ends because there is no such board."""
    pytester.makepyfile(ONE_TEST)
    (pytester.path / "bench.toml").write_text("")
    result = run(pytester, "--hil-record", "run.jsonl", "--hil-engine", "board:desk")
    result.assert_outcomes(failed=1)
    assert '"op":"end","lines":1' in (pytester.path / "run.jsonl").read_text()


def test_a_test_that_needs_what_the_engine_has_not_is_skipped_with_the_reason(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.needs("production")
        def test_one(halfsilver_nic):
            raise AssertionError("not here")

        @pytest.mark.needs("congestion")
        def test_two(halfsilver_engine):
            raise AssertionError("nor here")

        @pytest.mark.needs("bad-frames")
        def test_three(halfsilver_nic):
            pass

        @pytest.mark.needs("bad-frame")
        def test_four(halfsilver_nic):
            pass
        """
    )
    result = run(pytester, "-rs", "--strict-markers")
    result.assert_outcomes(skipped=2, passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*did you mean bad-frames?*", "*needs production: engine golden is none that carries production*"]
    )


def test_no_room_is_a_skip_and_not_a_failure(pytester):
    pytester.makeconftest(CONFTEST.format(engines="Engines(1, lambda name, seed: suite_kit.Tiny())"))
    pytester.makepyfile(ONE_TEST)
    result = run(pytester, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*engine golden has no room: the policy needs 1 interfaces*"])


def test_what_is_wrong_with_the_rig_stops_the_run_once(pytester):
    pytester.makeconftest(CONFTEST.format(engines="Engines(1, suite_kit.unreachable)"))
    test = ONE_TEST.replace("test_copy(", "test_copy(number, ")
    pytester.makepyfile(
        """
    import pytest

    @pytest.mark.parametrize("number", range(5))"""
        + test
    )
    result = run(pytester)
    assert result.ret == 4
    text = result.stdout.str()
    assert text.count("golden: no answer within 1 s") == 1 and "Traceback" not in text
    result.stdout.fnmatch_lines(["*rig, not a test: golden: no answer within 1 s*"])
    result.assert_outcomes()


def facts_of(report: Path) -> list[tuple[str, str]]:
    """Properties of a JUnit report, in their order."""
    found = ElementTree.parse(report).iterfind(".//testsuite/properties/property")
    return [(each.attrib["name"], each.attrib["value"]) for each in found]


@pytest.mark.slow
def test_junit_says_so_too_where_workers_ran_the_tests(pytester):
    """And what two of them say alike once."""
    pytester.makepyfile(ONE_TEST, test_other=ONE_TEST)
    words = ("-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider", "--junitxml=junit.xml", "--hil-seed", "77")
    pytester.runpytest_subprocess(*words).assert_outcomes(passed=2)
    facts = facts_of(pytester.path / "junit.xml")
    assert len({name for name, _ in facts}) == len(facts)
    assert {("halfsilver.seed", "77"), ("halfsilver.engine.golden", "golden model in Python")} <= set(facts)
    assert sum(name == "halfsilver.python" for name, _ in facts) == 1


def test_junit_says_where_results_come_from(pytester):
    pytester.makepyfile(ONE_TEST)
    run(pytester, "--junitxml=junit.xml", "--hil-seed", "77").assert_outcomes(passed=1)
    facts = dict(facts_of(pytester.path / "junit.xml"))
    assert facts["halfsilver.seed"] == "77"
    assert facts["halfsilver.engine.golden"] == "golden model in Python"
    assert facts["halfsilver.engine.golden.parameters"] == "extension_headers=8"
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", facts["halfsilver.revision"])
    assert {"halfsilver.version", "halfsilver.python", "halfsilver.pytest"} <= facts.keys()


# The page of a failure.


@pytest.fixture
def failed(pytester) -> tuple[Path, str, pytest.RunResult]:
    """(folder, page, result) of a test whose expectation is wrong: TTL 64."""
    pytester.makepyfile(ONE_TEST.replace(repr(COPY), repr(WRONG)))
    result = run(pytester, "--hil-report", "pages", "--hil-seed", "5")
    result.assert_outcomes(failed=1)
    (path,) = (pytester.path / "pages").iterdir()
    result.stdout.fnmatch_lines([f"*the page of this failure: pages/{path.name}*"])
    return pytester.path, path.read_text(encoding="utf-8"), result


def test_the_page_of_a_wrong_expectation(failed):
    _, text, result = failed
    result.stdout.fnmatch_lines(["*frame 1: copy differs: outer IPv4 time to live (byte 22): expected 40, got ff*"])
    rows = [re.sub(r"<[^>]*>", " ", row).split() for row in re.findall(r"<tr class=differs>(.*?)</tr>", text)]
    assert rows == [["22", "time", "to", "live", "40", "64", "ff", "255"]]
    plain = unescape(re.sub(r"<[^>]*>", "", text))
    assert "rule 10 (tmfr-1i10) accept: matches" in plain and "verdict: mirrored" in plain
    assert "10.0.0.40" in plain and WAY.mac in plain and "golden model in Python" in plain
    assert "src=" not in text and not re.search(r'href="(?!data:)', text)  # self-contained


def test_the_capture_of_the_page(failed):
    _, text, _ = failed
    (data,) = re.findall(r'href="data:application/x-pcapng;base64,([^"]+)"', text)
    assert [bytes(packet) for packet in PcapNgReader(io.BytesIO(base64.b64decode(data)))] == [FRAME, COPY]


@pytest.mark.slow
def test_the_line_of_the_page_repeats_the_failure(failed):
    _, text, _ = failed
    (line,) = re.findall(r"<h2>Again</h2><pre>(.*?)</pre>", text)
    done = subprocess.run(unescape(line), shell=True, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "expected 40, got ff" in done.stdout
    assert "--hil-seed 5" in line


@pytest.mark.slow
def test_the_line_of_an_installed_case_repeats_it(pytester):
    """Such a test is not below pytest's root folder."""
    pytester.makeconftest(CONFTEST.format(engines="suite_kit.engines_with(suite_kit.flip_a_byte(22))"))
    installed = ("--pyargs", "halfsilver.harness.suite.conformance", "--import-mode=importlib")
    run(pytester, *installed, "-k", "test_case and tcpdump-434", "--hil-report", "pages").assert_outcomes(failed=1)
    (path,) = (pytester.path / "pages").iterdir()
    (line,) = re.findall(r"<h2>Again</h2><pre>(.*?)</pre>", path.read_text(encoding="utf-8"))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(unescape(line), shell=True, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 1 and "expected ff, got fe" in done.stdout and "1 failed" in done.stdout


def test_a_copy_that_did_not_come(pytester):
    pytester.makepyfile(ONE_TEST.replace(repr(FRAME), repr(bytes(60))))
    run(pytester, "--hil-report", "pages").assert_outcomes(failed=1)
    (path,) = (pytester.path / "pages").iterdir()
    text = path.read_text(encoding="utf-8")
    assert "0 came." in text and "This one was expected" in text and "it is no interface&#x27;s frame" in text


def test_an_assertion_of_the_tests_own_has_a_page_too(pytester):
    pytester.makepyfile(ONE_TEST + "    assert nic.sent[0].record.copied == 1, 'as I say'\n")
    run(pytester, "--hil-report", "pages").assert_outcomes(failed=1)
    (path,) = (pytester.path / "pages").iterdir()
    assert "AssertionError: as I say" in path.read_text(encoding="utf-8")


def test_waves_of_an_engine_that_is_simulated(monkeypatch, tmp_path):
    engine = EngineUnderTest("verilator", 1, lambda name, seed: Faulty(no_fault))
    nic = Nic(engine, Policy.from_documents(POLICY), Flags())
    nic.send_packet(FRAME)
    repeat = "cd here && python -m pytest that"
    assert "cd here &amp;&amp; HALFSILVER_WAVES=wave.vcd python -m pytest that" in page("that", nic, "trace", repeat)
    monkeypatch.setenv("HALFSILVER_WAVES", str(tmp_path / "run.vcd"))
    assert f'href="{(tmp_path / "run.vcd").as_uri()}"' in page("that", nic, "trace", repeat)
