"""The pytest plugin: fixtures that mirror frames inside somebody's own tests, on any engine.

pytest finds it by its entry point wherever Halfsilver is installed. Until a test asks for a fixture, nothing else of
the package is imported. What the fixtures give lives in ``harness/api.py`` and ``harness/suite/``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from halfsilver.harness.api import Mirror
    from halfsilver.harness.suite.engines import Engines
    from halfsilver.harness.suite.nic import Nic

__all__ = ["ENGINE", "ENGINE_VARIABLE", "RECORD", "REPORTS", "SEED"]

ENGINE, ALIAS, ENGINE_VARIABLE = "--hil-engine", "--halfsilver-engine", "HALFSILVER_ENGINE"
SEED, RECORD, REPORTS = "--hil-seed", "--hil-record", "--hil-report"
RIG, PROVENANCE = "halfsilver.rig", "halfsilver.provenance"
NICS = pytest.StashKey[list["Nic"]]()
"""What a test has opened, for the page of its failure."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("halfsilver")
    group.addoption(
        ENGINE,
        ALIAS,
        dest="halfsilver_engine",
        metavar="NAME",
        help="engine of the fixtures halfsilver_nic and halfsilver_engine, one that `halfsilver list` shows "
        f"(default: {ENGINE_VARIABLE}, else the golden model)",
    )
    group.addoption(
        SEED, dest="halfsilver_seed", type=int, metavar="N", help="seed of the engine, where it has one (default: 1)"
    )
    group.addoption(
        RECORD,
        dest="halfsilver_record",
        metavar="FILE",
        help="write down all that goes to and from a board, as JSON lines; "
        f"{ENGINE} replay:FILE runs the same tests again without it",
    )
    group.addoption(
        REPORTS,
        dest="halfsilver_report",
        metavar="FOLDER",
        default="build/hil",
        help="where the page of a test that failed is written (default: %(default)s)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """A name that is none ends the run, before a test has run with another engine than was meant."""
    if not hasattr(config, "workerinput"):  # of pytest-xdist
        config.pluginmanager.register(_Stop())
        config.pluginmanager.register(_Workers(config))
    config.addinivalue_line("markers", "needs(ability): skipped on an engine that does not have this ability")
    given = config.getoption("halfsilver_engine")
    name = given if given is not None else os.environ.get(ENGINE_VARIABLE)
    if name is not None:
        from halfsilver.harness.engines.registry import entry_of
        from halfsilver.harness.errors import HalfsilverError

        try:
            wired = entry_of(name).wired
        except HalfsilverError as error:
            raise pytest.UsageError(f"{ENGINE_VARIABLE if given is None else ENGINE}: {error}") from None
    if config.getoption("halfsilver_record") is not None and (name is None or not wired):
        raise pytest.UsageError(f"{RECORD} is for engines behind wires, such as a board: name one with {ENGINE}")


@pytest.fixture
def halfsilver_engine_name(request: pytest.FixtureRequest) -> str:
    """The engine's name. A module that is about one engine overrides it."""
    from halfsilver.harness.engines.registry import REFERENCE

    given: str | None = request.config.getoption("halfsilver_engine")
    return given or os.environ.get(ENGINE_VARIABLE) or REFERENCE


@pytest.fixture
def halfsilver_engine(request: pytest.FixtureRequest, halfsilver_engine_name: str) -> Iterator[Callable[..., Mirror]]:
    """Opens mirrors: ``halfsilver_engine(policy, **settings)`` is ``open_mirror`` of ``halfsilver.harness.api`` with
    the engine of ``--hil-engine``. They are closed when the test ends."""
    from halfsilver.harness.api import open_mirror

    _skip_for_want(request.node, halfsilver_engine_name)
    with ExitStack() as stack:

        def open_it(policy: Any, **settings: Any) -> Mirror:
            return stack.enter_context(open_mirror(policy, **{"engine": halfsilver_engine_name, **settings}))

        yield open_it


@pytest.fixture(scope="session")
def halfsilver_engines(
    request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]
) -> Iterator[Engines]:
    """The engines of ``halfsilver_nic``: opened once for all tests."""
    from halfsilver.harness.commands.common import DEFAULT_SEED
    from halfsilver.harness.suite.engines import Engines, recorded
    from halfsilver.harness.suite.provenance import provenance

    given = request.config.getoption("halfsilver_seed")
    with recorded(request.config.getoption("halfsilver_record")) as make:
        engines = Engines(DEFAULT_SEED if given is None else given, make)
        yield engines
        engines.close()
    facts = {f"halfsilver.{name}": value for name, value in provenance(engines.seed, engines.met).items()}
    for name, value in facts.items():
        record_testsuite_property(name, value)
    if hasattr(request.config, "workeroutput"):  # a worker of pytest-xdist's writes no report, so there it does nothing
        request.config.workeroutput[PROVENANCE] = facts


@pytest.fixture
def halfsilver_nic(
    request: pytest.FixtureRequest, halfsilver_engine_name: str, halfsilver_engines: Engines
) -> Callable[..., Nic]:
    """Opens NICs: ``halfsilver_nic(policy, **settings)`` is one with the engine of ``--hil-engine``, whose verbs are
    ``send_packet``, ``verify_copy``, ``verify_no_copy``, ``verify_production`` (``halfsilver.harness.suite.nic``).

    ``policy`` as for ``open_mirror``; settings are ``eni`` and those of ``halfsilver.harness.records.Flags``, or one
    such object. One NIC is in use at a time: the engine is one, and a policy replaces the one before it.
    """
    from halfsilver.harness.api import load_policy
    from halfsilver.harness.errors import CapacityExceeded
    from halfsilver.harness.records import Flags
    from halfsilver.harness.suite.nic import Nic

    _skip_for_want(request.node, halfsilver_engine_name)
    nics = request.node.stash.setdefault(NICS, [])

    def open_it(policy: Any, flags: Flags | None = None, *, eni: str | None = None, **settings: Any) -> Nic:
        engine = halfsilver_engines.get(halfsilver_engine_name)
        try:
            nic = Nic(engine, load_policy(policy, eni=eni), flags or Flags(**settings))
        except CapacityExceeded as error:
            pytest.skip(f"engine {halfsilver_engine_name} has no room: {error}")
        nics.append(nic)
        return nic

    return open_it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What is wrong with rig or installation stops the run, once; a NIC that failed gets its page."""
    report = yield
    if call.excinfo is not None and "halfsilver_engine_name" in getattr(item, "fixturenames", ()):
        _note_rig(report, call.excinfo.value)
        if report.failed and item.stash.get(NICS, []):
            from halfsilver.harness.suite.page import write_page

            path = write_page(item, item.stash[NICS][-1], str(report.longrepr))
            report.sections.append(("halfsilver", f"the page of this failure: {path}"))
    return report


def _skip_for_want(item: pytest.Item, name: str) -> None:
    """Skip a test that needs what the engine does not have."""
    from halfsilver.harness.suite.needs import missing_ability

    for marker in item.iter_markers("needs"):
        reason = missing_ability(name, *marker.args)
        if reason is not None:
            pytest.skip(reason)


def _note_rig(report: pytest.TestReport, error: BaseException) -> None:
    """Say in the report, which may be a worker's, that not the test failed."""
    errors = sys.modules.get("halfsilver.harness.errors")
    if errors is not None and isinstance(error, errors.RigError | errors.EnvironmentMissing):
        kind = "rig" if isinstance(error, errors.RigError) else "installation"
        report.longrepr = f"{kind}, not a test: {error}"
        report.user_properties.append((RIG, error.exit_code))


class _Stop:
    """Where reports come together: the first one that is about the rig ends the run."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One line and the exit code of the command line, not a failure for each test that comes after."""
        for name, value in report.user_properties:
            if name == RIG and isinstance(value, int):
                pytest.exit(str(report.longrepr), returncode=value)


class _Workers:
    """Where workers end: what they say of themselves goes into the JUnit report, each thing that is said once."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._said: set[tuple[str, str]] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """pytest-xdist calls it."""
        fresh = set(getattr(node, "workeroutput", {}).get(PROVENANCE, {}).items())
        for plugin in self._config.pluginmanager.get_plugins():
            if hasattr(plugin, "add_global_property"):  # that of --junitxml, which has no name
                for name, value in sorted(fresh - self._said):
                    plugin.add_global_property(name, value)
        self._said |= fresh
