"""``halfsilver check``: everything that is wrong with a policy, at once."""

from __future__ import annotations

import argparse
import json

from halfsilver.harness.commands.common import Subparsers, plural
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.policy.policy import check, read_joined
from halfsilver.harness.policy.schema import policy_schema

__all__ = ["add", "run"]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "check",
        help="check a policy",
        description="List all errors and warnings of a policy; exit code 1 on errors.",
        epilog="example: halfsilver check filters.json sessions.json targets.json interfaces.json",
    )
    parser.add_argument(
        "config",
        metavar="MIRROR.JSON",
        nargs="*",
        help="policy, as `aws ec2 describe-*` prints it; several files, or a folder of them, are taken as one",
    )
    parser.add_argument(
        "--schema",
        action="store_true",
        help="print the JSON Schema of a policy instead (draft 2020-12), for editors and other checkers",
    )
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 if the policy can be used (warnings allowed), 1 if it has errors, 2 if it cannot be read."""
    if arguments.schema:
        if arguments.config:
            raise UsageError("--schema prints the schema of every policy; leave out the files, or the option")
        print(json.dumps(policy_schema(), indent=2))
        return EXIT_OK
    if not arguments.config:
        raise UsageError("check wants a MIRROR.JSON, or --schema")
    problems = check(read_joined(arguments.config))
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
        print(f"{', '.join(arguments.config)}: {plural(errors, 'error')}, {plural(warnings, 'warning')}")
    return EXIT_MISMATCH if errors else EXIT_OK
