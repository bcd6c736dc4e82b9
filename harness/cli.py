"""``halfsilver``: the command line. Declares the subcommands, prints errors, turns them into exit codes.

Exit codes: 0 ok, 1 mismatch, failed check or damaged capture, 2 usage, 3 environment or tool missing, 4 board
unreachable, 5 nothing ran, 130 interrupted; 141 when the reader of a pipe has gone, as for any program of a pipeline.
Data goes to stdout; messages, warnings and progress go to stderr.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from halfsilver.harness.arguments import Parser
from halfsilver.harness.commands import (
    check,
    completion,
    counters,
    coverage,
    diff,
    explain,
    init,
    live,
    mirror,
    what_if,
)
from halfsilver.harness.commands.card import bench, build, doctor, image, listing, program, regs
from halfsilver.harness.commands.served import export, serve
from halfsilver.harness.environment import refuse_unknown_variables
from halfsilver.harness.errors import EXIT_ENVIRONMENT, EXIT_INTERRUPTED, EXIT_USAGE, HalfsilverError
from halfsilver.hdl.layout.version import VERSION

__all__ = ["main"]

EXIT_BROKEN_PIPE = 141
"""128 + SIGPIPE, what a shell shows for a program ended by it."""

COMMANDS = (
    init,
    mirror,
    live,
    explain,
    coverage,
    what_if,
    counters,
    diff,
    check,
    serve,
    export,
    regs,
    image,
    build,
    program,
    bench,
    doctor,
    listing,
)


def build_parser() -> Parser:
    parser = Parser(
        prog="halfsilver",
        description="AWS-shaped traffic mirroring: captures in, mirrored captures and reasons out.",
        epilog="exit codes: 0 ok, 1 mismatch, failed check or damaged capture, 2 usage, 3 environment or tool missing, "
        "4 board unreachable, 5 nothing ran, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"halfsilver {VERSION}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(subparsers)
    completion.add(subparsers, parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. A wrong command line exits with code 2 through argparse."""
    try:
        refuse_unknown_variables()
        parsed = build_parser().parse_args(arguments)
        code: int = parsed.run(parsed)
        sys.stdout.flush()
        return code
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit; give it a place where that cannot fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return EXIT_ENVIRONMENT if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) else EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
