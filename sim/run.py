"""``make sim``: a capture through the gateware under Verilator, compared with the golden model.

Without ``--pcap`` the project's own example is made and used. The run is ``halfsilver mirror --engine verilator``;
its copies, verdicts and page are written under ``build/sim``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from halfsilver.harness.arguments import Parser
from halfsilver.harness.cli import main as halfsilver
from halfsilver.harness.commands.common import AUTO, DIRECTIONS
from halfsilver.harness.engines.registry import VERILATOR
from halfsilver.harness.errors import EXIT_USAGE, HalfsilverError
from halfsilver.sim.example import EXAMPLE, make_example
from halfsilver.sim.places import BUILD, shown

__all__ = ["main"]

OUTPUT = BUILD / "sim"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code of ``halfsilver``."""
    parser = Parser(prog="python -m halfsilver.sim.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--pcap", help="capture to read; default: the project's example")
    parser.add_argument("--config", help="policy, as `aws ec2 describe-*` prints it; default: the example's")
    parser.add_argument("--seed", type=int, default=1, help="of the random pauses (default: %(default)s)")
    parser.add_argument("--full-rate", action="store_true", help="frames back to back on both ports")
    parser.add_argument("--tap", action="store_true", help="give frames of no interface to the first interface")
    parser.add_argument(
        "--eni", help="the interface that is first: it gets multicast and, with --tap, what is no one's"
    )
    parser.add_argument("--direction", choices=DIRECTIONS, default=AUTO, help="of the frames (default: %(default)s)")
    parser.add_argument("--waves", action="store_true", help="write build/sim/waves.vcd (slow, large)")
    options = parser.parse_args(arguments)
    if options.pcap and not options.config:
        print(
            "error: --pcap needs --config, the policy that says what is mirrored (with make: PCAP= CONFIG=)",
            file=sys.stderr,
        )
        return EXIT_USAGE
    try:
        pcap = options.pcap or str(make_example())
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    OUTPUT.mkdir(parents=True, exist_ok=True)
    if options.waves:
        os.environ["HALFSILVER_WAVES"] = str(OUTPUT / "waves.vcd")
        print(f"waves: {shown(OUTPUT / 'waves.vcd')}", file=sys.stderr)
    return halfsilver(
        [
            "mirror",
            "--engine",
            VERILATOR,
            "-r",
            pcap,
            "-c",
            options.config or str(EXAMPLE / "mirror.json"),
            "-w",
            shown(OUTPUT / "mirrored.pcapng"),
            "--verdicts",
            shown(OUTPUT / "verdicts.jsonl"),
            "--report",
            shown(OUTPUT / "report"),
            "--seed",
            str(options.seed),
            "--direction",
            options.direction,
            *(["--eni", options.eni] if options.eni else []),
            *(["--tap"] if options.tap else []),
            *(["--full-rate"] if options.full_rate else []),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
