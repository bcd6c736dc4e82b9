"""``make formal``: every claim, how it was shown, and that its planted fault refutes it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from halfsilver.harness.arguments import Parser
from halfsilver.harness.errors import EXIT_INTERRUPTED, EXIT_MISMATCH, EXIT_OK, EXIT_USAGE, HalfsilverError
from halfsilver.hdl.verilog.convert import VerilogError
from halfsilver.sim.formal.blocks.setups import SETUPS
from halfsilver.sim.formal.run import answers


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 1 if a claim is violated, or its fault is not found."""
    parser = Parser(prog="python -m halfsilver.sim.formal", description="Proofs about blocks of the gateware.")
    parser.add_argument("--block", metavar="NAME", help="only this block")
    options = parser.parse_args(arguments)
    setups = [setup for setup in SETUPS if options.block in (None, setup.block)]
    if not setups:
        print(f"no block is called {options.block}; there are {', '.join(s.block for s in SETUPS)}", file=sys.stderr)
        return EXIT_USAGE
    failed = 0
    print("| block | parameters | claim | shown by | its fault, found in clock | seconds |\n|---|---|---|---|---|---|")
    for setup in setups:
        for answer in answers(setup):
            failed += not answer.shown
            found = "NOT FOUND" if answer.refuted is None else answer.refuted
            method = answer.method if answer.violated is None else f"VIOLATED in clock {answer.violated}"
            print(
                f"| {setup.block} | {setup.parameters} | {answer.claim.what} | {method} | {found} "
                f"| {answer.seconds:.0f} |",
                flush=True,
            )
    print(f"{failed} claims failed" if failed else "all claims shown, and each refuted by its fault", file=sys.stderr)
    return EXIT_MISMATCH if failed else EXIT_OK


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HalfsilverError, VerilogError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", EXIT_MISMATCH))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
