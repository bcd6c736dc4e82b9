"""Tiers of the tests, and what becomes of a test that cannot run here.

Tiers are markers (declared in pyproject.toml). `make check` runs what has none of them; `make test` runs
all but `long`.

HALFSILVER_REQUIRE=tshark,postgresql: tests that are skipped because one of these is missing fail instead. Continuous
integration sets it to what it has installed, so that a tool that is there but not found cannot go unnoticed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest

from halfsilver.harness.environment import refuse_unknown_variables
from halfsilver.harness.errors import UsageError

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

TESTS = Path(__file__).resolve().parent
THREADS = "/proc/self/task"

ROOMS = {
    "sim": "simulation",
    "hdl": "simulation",
    "control/clients": "slow",
    "control/server": "slow",
    "control/upstream": "slow",
}
"""Rooms whose tests belong to one tier, but for the modules below. A single test elsewhere says so itself."""

MODULES = {
    **dict.fromkeys(
        (
            "test_packed",
            "test_parameters",
            "test_registers",
            "test_cache",
            "test_compilation",
            "test_links",
            "test_passage",
            "test_upstream_parts",
        ),
        (),
    ),
    **dict.fromkeys(("test_postgresql", "test_terraform"), ("tools",)),
    "test_upstream_terraform": ("tools", "long"),
    **dict.fromkeys(
        (
            "test_api_docs",
            "test_cloudwatch",
            "test_connections",
            "test_console_forms",
            "test_console_sign_in",
            "test_console_what_if",
            "test_console_why_not",
            "test_inventory_file",
            "test_mirror_properties",
            "test_serial_port",
            "test_site",
            "test_udp",
            "test_wire_fuzz",
            "test_wire_round_trip",
            "test_wire_server",
        ),
        ("slow",),
    ),
    "test_packets": ("simulation",),
    **dict.fromkeys(("test_card_engine", "test_board_engine", "test_recording"), ("slow",)),
    "test_tshark": ("simulation", "tools"),
    "test_linux_receiver": ("simulation", "root"),
    "test_nftables": ("simulation", "root"),
    "test_tc": ("root",),
    "test_openvswitch": ("root",),
    "test_tcpdump": ("simulation", "tools"),
    "test_suricata": ("simulation", "tools"),
    "test_suricata_live": ("simulation", "root", "tools", "long"),
    "test_geneve_form": ("tools",),
    **dict.fromkeys(("test_page_in_browser", "test_console_in_browser"), ("tools",)),
}
"""Modules whose tests belong to other tiers than their room's, or to one where the room has none."""

REQUIREMENTS = {
    "tshark": "tshark",
    "postgresql": "PostgreSQL",
    "iverilog": "iverilog",
    "captures": "no capture",
    "iproute2": "iproute2",
    "iputils-ping": "iputils-ping",
    "nftables": "nftables",
    "tcpdump": "tcpdump",
    "openvswitch-switch": "openvswitch",
    "suricata": "suricata",
    "prometheus": "prometheus",
    "labgrid": "labgrid",
    "chromium": "chromium",
    "systemd": "systemd-analyze",
}
"""What can be required, and the word by which the reason of a skip names it."""


def required() -> list[str]:
    """What HALFSILVER_REQUIRE names; UsageError for something that is not known."""
    names = [name for name in os.environ.get("HALFSILVER_REQUIRE", "").split(",") if name]
    for name in names:
        if name not in REQUIREMENTS:
            raise pytest.UsageError(f"HALFSILVER_REQUIRE: {name!r} is not one of {', '.join(REQUIREMENTS)}")
    return names


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="also what takes too long for each run of continuous integration"
    )
    parser.addoption(
        "--quick", action="store_true", help="do not even import modules of other tiers than the quick one"
    )


def pytest_configure(config: pytest.Config) -> None:
    try:
        refuse_unknown_variables()
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    required()


def tiers_of(path: Path) -> tuple[str, ...]:
    """What all tests of a module belong to; nothing is the quick tier."""
    if not path.is_relative_to(TESTS):
        return ()
    rooms = [tier for room, tier in ROOMS.items() if path.is_relative_to(TESTS / room)]
    return MODULES.get(path.stem, tuple(rooms))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``--quick``: what is deselected anyway is not imported either, which took a third of collecting."""
    return True if config.getoption("--quick") and collection_path.is_file() and tiers_of(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for tier in tiers_of(item.path):
            item.add_marker(tier)
        if item.get_closest_marker("long") is not None and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="long: make test-long runs it"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test marked ``alone`` gets a pytest of its own where this process has other threads."""
    if pyfuncitem.get_closest_marker("alone") is None or threading.active_count() == len(os.listdir(THREADS)) == 1:
        return None
    command = [sys.executable, "-m", "pytest", "-n", "0", pyfuncitem.nodeid]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(command, cwd=pyfuncitem.config.rootpath, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    return True


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why something was skipped."""
    where = report.longrepr
    reason = where[2] if isinstance(where, tuple) else str(where)
    return str(reason).removeprefix("Skipped: ")


def insist(report: Report) -> Report:
    """The report; a failure where it is of a skip for want of something that is required."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = reason_of(report)
        for name in required():
            if REQUIREMENTS[name].lower() in reason.lower():
                report.outcome = "failed"
                report.longrepr = f"HALFSILVER_REQUIRE has {name}, and this was to be skipped: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return insist((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return insist((yield))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What other software has judged; what did not run, by reason, in words that cannot be overlooked."""
    judged = [
        text
        for report in terminalreporter.stats.get("passed", [])
        for name, text in report.user_properties
        if name == "judged"
    ]
    if judged:
        terminalreporter.section("JUDGED BY OTHERS")
        for text in judged:
            terminalreporter.write_line(f"  {text}")
    skipped = Counter(reason_of(report) for report in terminalreporter.stats.get("skipped", []))
    if skipped:
        terminalreporter.section(f"NOT RUN here: {skipped.total()}", sep="=", yellow=True)
        for reason, count in skipped.most_common():
            terminalreporter.write_line(f"{count:5}  {reason}")
