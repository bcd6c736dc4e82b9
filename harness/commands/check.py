"""``halfsilver check``: everything that is wrong with a policy, at once."""

from __future__ import annotations

import argparse
import json

from halfsilver.harness.commands.common import Subparsers, plural
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.policy.policy import RepeatedKey, check, unique_keys

__all__ = ["add", "run"]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "check", help="check a policy", description="List all errors and warnings of a policy; exit code 1 on errors."
    )
    parser.add_argument("config", metavar="MIRROR.JSON", help="policy, as `aws ec2 describe-*` prints it")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 if the policy can be used (warnings allowed), 1 if it has errors, 2 if it is no JSON."""
    problems = check(_read(arguments.config))
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    if arguments.json:
        print(
            json.dumps(
                {
                    "errors": errors,
                    "warnings": warnings,
                    "problems": [
                        {"severity": problem.severity, "where": problem.where, "message": problem.message}
                        for problem in problems
                    ],
                },
                indent=2,
            )
        )
    else:
        for problem in problems:
            print(problem)
        print(f"{arguments.config}: {plural(errors, 'error')}, {plural(warnings, 'warning')}")
    return EXIT_MISMATCH if errors else EXIT_OK


def _read(path: str) -> object:
    try:
        with open(path, encoding="utf-8") as stream:
            return json.load(stream, object_pairs_hook=unique_keys)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UsageError(f"{path}: not UTF-8 text: byte {error.start} is {byte:#04x}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"{path}: not JSON: {where}: {error.msg}") from None
    except RepeatedKey as error:
        raise UsageError(f"{path}: {error}") from None
    except RecursionError:
        raise UsageError(f"{path}: not a policy: JSON nested too deeply") from None
