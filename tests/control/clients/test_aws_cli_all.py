"""The AWS CLI, unmodified: every operation, and everything that is refused, as it prints it.

To start the CLI takes half a second, so all of these commands run in one process, with the CLI's own driver
(aws_cli_worker.py); test_aws_cli.py has the program itself. The process is not that of the tests, where there is boto3:
the CLI brings a botocore of its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from halfsilver.harness.control.catalogue import OPERATIONS
from tests.control.clients.test_boto3 import use_every_operation
from tests.control.kits.inventory_kit import OWNER, PARTNER, SECURITY, with_target_group
from tests.control.kits.refusals_kit import MISSING, REFUSAL_IDS, REFUSALS, RULE, SESSION, WRONG, World
from tests.control.kits.server_kit import Cloud, error_of, running

WORKER = Path(__file__).parents[1] / "kits" / "aws_cli_worker.py"
REFUSED = (254, 255)
"""What the CLI's versions 2 and 1 end with when the service refuses."""
INVALID = (252, 255)
"""The same when the CLI refuses: nothing is sent."""

REFUSED_BY_THE_CLI = {
    *(("create_traffic_mirror_filter_rule", MISSING, name) for name in RULE),
    *(("create_traffic_mirror_session", MISSING, name) for name in SESSION),
    ("create_tags", MISSING, "Tag"),
    ("describe_traffic_mirror_targets", WRONG, "greater than or equal to 5"),
}
"""What its model of the service says is missing or too small. With ``parameter_validation = false``, a setting of its
own, it asks the service about these too. Everything else in the table it sends as it comes out of the box."""


class Cli:
    """The process in which the commands run. ``answered`` has each operation that a success came back for."""

    def __init__(self) -> None:
        self.answered: set[tuple[str, str]] = set()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(self, environment: dict[str, str], arguments: list[str]) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([environment, arguments]) + "\n")
        process.stdin.flush()
        code, out, err, answered = json.loads(process.stdout.readline())
        self.answered.update((service, operation) for service, operation in answered)
        return code, out, err

    def close(self) -> None:
        self._process.communicate(timeout=20)
        assert self._process.returncode == 0


@pytest.fixture(scope="module")
def cli() -> Iterator[Cli]:
    if importlib.util.find_spec("awscli") is None:
        pytest.skip("the AWS CLI is not installed")
    cli = Cli()
    yield cli
    cli.close()


class CommandLine:
    """The shell of an account."""

    def __init__(self, cli: Cli, cloud: Cloud, account: str = OWNER, settings: Path | None = None) -> None:
        self._cli = cli
        self._environment = {
            name: value for name, value in cloud.environment(account).items() if name.startswith("AWS_")
        }
        if settings is not None:
            self._environment["AWS_CONFIG_FILE"] = str(settings)

    def run(self, service: str, method: str, parameters: dict[str, Any]) -> tuple[int, str, str]:
        """The command that goes with a method of boto3."""
        return self._cli.run(
            self._environment, [service, method.replace("_", "-"), "--cli-input-json", json.dumps(parameters)]
        )


class Commands:
    """Has boto3's methods, and each is a command: the answer is what it prints."""

    def __init__(self, aws: CommandLine, service: str) -> None:
        self._aws, self._service = aws, service

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            code, out, err = self._aws.run(self._service, method, parameters)
            assert (code, err) == (0, ""), (method, err)
            return json.loads(out) if out else None

        return call


class Shells:
    """Accounts' shells, where Cloud has clients."""

    def __init__(self, cli: Cli, cloud: Cloud) -> None:
        self._shells = {account: CommandLine(cli, cloud, account) for account in (OWNER, SECURITY, PARTNER)}

    def client(self, service: str = "ec2", account: str = OWNER) -> Commands:
        return Commands(self._shells[account], service)


def test_every_operation(cli: Cli, tmp_path: Path) -> None:
    """There is a command for each; it ends with 0, and prints what boto3 gives. (RAM still lists shares that were
    deleted, so this has a server of its own.)"""
    with running(tmp_path / "state", inventory=with_target_group(tmp_path)) as cloud:
        cloud.add_role("visitor")
        shells = Shells(cli, cloud)
        cli.answered.clear()
        for account in (OWNER, SECURITY, PARTNER):
            assert shells.client("sts", account).get_caller_identity()["Account"] == account
        use_every_operation(shells)
    assert cli.answered == set(OPERATIONS)


@pytest.fixture(scope="module")
def world(running_cloud: Cloud) -> Iterator[World]:
    world = World(running_cloud)
    yield world
    assert running_cloud.everything() == world.before
    running_cloud.empty()


@pytest.fixture(scope="module")
def usual(cli: Cli, running_cloud: Cloud) -> CommandLine:
    return CommandLine(cli, running_cloud)


@pytest.fixture(scope="module")
def unchecked(cli: Cli, running_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The CLI with its own check of the parameters turned off, by its own setting."""
    settings = tmp_path_factory.mktemp("cli") / "config"
    settings.write_text(f"[profile {OWNER}]\nparameter_validation = false\n")
    return CommandLine(cli, running_cloud, settings=settings)


@pytest.mark.parametrize(("code", "operation", "parameters", "words"), REFUSALS, ids=REFUSAL_IDS)
def test_refusals(
    world: World,
    usual: CommandLine,
    unchecked: CommandLine,
    code: str,
    operation: str,
    parameters: dict[str, Any],
    words: str,
) -> None:
    """The line is the one of the CLI's guide, with the code and message that boto3 gets."""
    asked = world.fill(parameters)
    ended, out, err = usual.run("ec2", operation, asked)
    if (operation, code, words) in REFUSED_BY_THE_CLI:
        assert ended in INVALID and out == "" and err.startswith("\nParameter validation failed:\n")
        ended, out, err = unchecked.run("ec2", operation, asked)
    got, _, message = error_of(getattr(world.client, operation), **asked)
    api = world.client.meta.method_to_api_mapping[operation]
    assert ended in REFUSED and out == ""
    assert err == f"\nAn error occurred ({code}) when calling the {api} operation: {message}\n"
    assert got == code and world.fill(words) in message


def test_what_the_cli_refuses_itself_is_in_the_table() -> None:
    assert {(operation, code, words) for code, operation, _, words in REFUSALS} >= REFUSED_BY_THE_CLI
    assert len(REFUSED_BY_THE_CLI) == 12
