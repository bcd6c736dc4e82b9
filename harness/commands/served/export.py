"""``halfsilver export``: the sessions as rows of Datadog's table, from a policy file or what a server has stored."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from halfsilver.harness.commands.common import NothingRan, Subparsers
from halfsilver.harness.control.operations.call import DEFAULT_REGION
from halfsilver.harness.errors import EXIT_OK, UsageError
from halfsilver.harness.installation import missing_package
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.session_table import FORMATS, TABLE, Row, regions, rows

__all__ = ["add", "run"]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "export",
        help="print sessions as rows of an inventory",
        description=f"Print the sessions as rows of {TABLE}, the table that Datadog has them in: twelve columns. What "
        "is read of a server is the view of that name in its database, while the server goes on.",
        epilog="example: halfsilver export --state halfsilver.state --format sql | sqlite3 inventory.sqlite",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "-c",
        dest="config",
        metavar="MIRROR.JSON",
        help="policy, as `aws ec2 describe-*` prints it; a folder with what several of them printed is taken as one",
    )
    source.add_argument("--state", metavar="DIR", help="the state directory of a server")
    source.add_argument("--database", metavar="URL", help="the server's PostgreSQL, postgresql://user@host/database")
    parser.add_argument("--format", choices=tuple(FORMATS), default="csv", help="default: %(default)s")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    parser.add_argument(
        "--region",
        help="of the ARNs of a policy's sessions (default: the one that zones and load balancers in it name, "
        f"else {DEFAULT_REGION})",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; NothingRan if there is no session, behind a table without rows."""
    if arguments.config is None and arguments.region is not None:
        raise UsageError("--region is for -c; a server's sessions have the server's region")
    found = _of_policy(arguments) if arguments.config is not None else _of_server(arguments)
    sys.stdout.write(FORMATS[arguments.format](found))
    if not found:
        raise NothingRan(f"{arguments.config or arguments.state or 'the database'} has no traffic mirror session")
    return EXIT_OK


def _of_policy(arguments: argparse.Namespace) -> Sequence[Row]:
    policy = Policy.load(arguments.config)
    named = regions(policy.documents)
    if arguments.region is None and len(named) > 1:
        raise UsageError(f"{arguments.config}: names the regions {', '.join(sorted(named))}; choose with --region")
    return rows(policy.documents, arguments.region or min(named, default=DEFAULT_REGION))


def _of_server(arguments: argparse.Namespace) -> Sequence[Row]:
    try:
        from halfsilver.harness.control.directory import StateDirectory
        from halfsilver.harness.control.state.store import Store
    except ModuleNotFoundError as error:
        raise missing_package("export of a server's sessions", error, "serve") from None
    url = arguments.database
    if url is None:
        state = Path(arguments.state)
        if not (state.is_dir() and StateDirectory(state).database.exists()):
            raise UsageError(f"{state}: has no state; name the directory that a server was started with, --state")
        url = str(StateDirectory(state).database)
    elif not url.startswith("postgresql://"):
        raise UsageError("--database: must be a URL such as postgresql://user@host/database; of a directory, --state")
    with closing(Store(url, make=False)) as store, store.begin() as transaction:
        found = transaction.session_view.rows()
    if found is None:
        raise UsageError(f"{store.name}: has no {TABLE} yet; the next start of its server makes it")
    return found
