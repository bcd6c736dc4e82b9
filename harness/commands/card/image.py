"""``halfsilver image``: the register writes that put a policy into an exported core, for somebody else's driver."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, fields

from halfsilver.harness.commands.common import Subparsers, add_policy_arguments, flags_of, load_policy, say_warnings
from halfsilver.harness.errors import EXIT_OK, UsageError
from halfsilver.harness.nic.comments import comment
from halfsilver.harness.nic.image import policy_image, table_writes
from halfsilver.harness.policy.types import MAX_RULES, Limits
from halfsilver.hdl.layout.parameters import MEANINGS, NicShape
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import Table

__all__ = ["add", "run"]

_NAMES = {register.address: register.name for register in REGISTERS}


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "image",
        help="print the register writes of a policy",
        description="Print the register writes that put a policy into an exported core: byte address, value, and what "
        "it is. Before the first of them, read STATUS until shadow_busy is 0. The tables are described in "
        "docs/tables.md, the registers by `halfsilver regs`. The build parameters must be those of the core.",
    )
    add_policy_arguments(parser)
    for field in fields(NicShape):
        option = f"--{field.name.replace('_', '-')}"
        parser.add_argument(
            option,
            type=int,
            metavar="N",
            default=field.default,
            help=f"{MEANINGS[field.name]}; as the core was exported (default: %(default)s)",
        )
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    try:
        shape = NicShape(**{field.name: getattr(arguments, field.name) for field in fields(NicShape)})
    except ValueError as error:
        raise UsageError(str(error)) from None
    # Whoever builds for more rules than AWS's quota has had it raised; it counts both directions together.
    policy = load_policy(arguments, Limits(rules=2 * shape.rules) if shape.rules > MAX_RULES else None)
    pairs = table_writes(policy_image(policy, flags_of(arguments), shape), {})
    pairs.append((REGISTERS.address("COMMIT"), REGISTERS.pack("COMMIT", go=1)))
    writes = _commented(pairs, shape)
    say_warnings(policy)
    if arguments.json:
        document = {
            "build": asdict(shape),
            "writes": [
                {"address": address, "register": _NAMES[address], "value": value, "comment": text}
                for address, value, text in writes
            ],
        }
        print(json.dumps(document, indent=2))
        return EXIT_OK
    for address, value, text in writes:
        print(f"{address:#05x} {value:#010x}  # {_NAMES[address]}: {text}")
    return EXIT_OK


def _commented(pairs: list[tuple[int, int]], shape: NicShape) -> Iterator[tuple[int, int, str]]:
    """Each write with what it is for."""
    table, index = Table.LOOKUP, 0
    for address, value in pairs:
        if _NAMES[address] == "TABLE_ADDRESS":
            place = REGISTERS.unpack("TABLE_ADDRESS", value)
            table, index = Table(place["table"]), place["index"]
            text = f"{table.name.lower()} from word {index}"
        elif _NAMES[address] == "TABLE_DATA":
            text = f"{table.name.lower()} {index}: {comment(table, index, shape)}"
            index += 1
        else:
            text = "the policy takes effect"
        yield address, value, text
