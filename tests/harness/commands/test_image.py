"""`halfsilver image`: what it prints, played into a card, is what the driver writes."""

import json
import re
from pathlib import Path

import pytest

from halfsilver.harness.cli import main
from halfsilver.harness.nic.comments import comment
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.layout.tables import Table
from halfsilver.hdl.layout.version import VERSION
from tests.harness.nic.card_kit import CardInMemory

CONFIG = str(Path(__file__).resolve().parents[3] / "examples" / "mirror.json")
SHAPE = NicShape(enis=16, lookup_clocks=4)
BUILD = ("--enis", "16", "--lookup-clocks", "4")


def test_the_writes_are_the_drivers(capsys):
    assert main(["image", "-c", CONFIG, *BUILD, "--tap", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["build"]["enis"] == 16
    played, driven = CardInMemory(SHAPE), CardInMemory(SHAPE)
    played.write([(write["address"], write["value"]) for write in document["writes"]])
    Driver(driven).load(Policy.load(CONFIG), Flags(tap=True))
    assert played.active_words() == driven.active_words() != {}
    assert played.generation == 1

    assert main(["image", "-c", CONFIG, *BUILD, "--tap"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(re.fullmatch(r"0x[0-9a-f]{3} 0x[0-9a-f]{8}  # [A-Z_]+: .+", line) for line in lines)
    pairs = [tuple(int(word, 16) for word in line.split()[:2]) for line in lines]
    assert pairs == [(write["address"], write["value"]) for write in document["writes"]]
    assert lines[1].endswith("general 0: flags")
    assert lines[-1] == f"{REGISTERS.address('COMMIT'):#05x} 0x00000001  # COMMIT: the policy takes effect"


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--enis", "2"), 2, "the policy needs 3 network interfaces, this build of the NIC has 2"),
        (("--enis", "17"), 2, "enis must be 1 to 16, not 17"),
        (("--width", "24"), 2, "data width must be a power of two"),
        (("--lookup-clocks", "3"), 2, "lookup_clocks must be 1, 2, 4 or 8"),
    ],
)
def test_a_build_that_cannot_be(capsys, options, code, says):
    assert main(["image", "-c", CONFIG, *options]) == code
    out, err = capsys.readouterr()
    assert out == "" and says in err


def with_rules(tmp_path, count):
    """The example with ``count`` ingress rules in its first filter."""
    documents = json.loads(Path(CONFIG).read_text())
    first = documents["TrafficMirrorFilters"][0]
    (rule, *_) = first["IngressFilterRules"]
    first["IngressFilterRules"] = [
        {**rule, "TrafficMirrorFilterRuleId": f"tmfr-{number:017x}", "RuleNumber": number + 1}
        for number in range(count)
    ]
    path = tmp_path / "mirror.json"
    path.write_text(json.dumps(documents))
    return str(path), first["TrafficMirrorFilterId"]


@pytest.mark.parametrize(
    ("rules", "build", "says"),
    [
        (40, 40, None),
        (41, 40, "the policy needs 41 rules in {filter}, this build of the NIC has 40"),
        (21, 20, "the policy needs 21 rules in {filter}, this build of the NIC has 20"),
        (11, 10, "rules; a filter has at most 10, both directions together"),
        (10, 41, "rules must be 1 to 40, not 41"),
    ],
)
def test_as_many_rules_as_the_build_has(tmp_path, capsys, rules, build, says):
    config, name = with_rules(tmp_path, rules)
    assert main(["image", "-c", config, *BUILD, "--rules", str(build)]) == (0 if says is None else 2)
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if line.startswith("error")]
    if says is None:
        assert out.splitlines()[-1].endswith("the policy takes effect") and not errors
    else:
        assert out == "" and len(errors) == 1 and says.format(filter=name) in errors[0]


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (4 * (256 * 7 + (1 * 1 + 0) * 128 + 5) + 3, "lane 7, ENI 0 egress, slot 0, value 0x5, bits from 96"),
        (4 * (256 * 63 + 1) + 2, "which rules accept, ENI 0 egress, bits from 64"),
    ],
)
def test_comments_of_words_in_parts(index, words):
    assert comment(Table.LOOKUP, index, NicShape(enis=1, rules=40)) == words


@pytest.mark.parametrize(
    ("table", "index", "words"),
    [
        (Table.GENERAL, 21, "ENI 1 word 1"),
        (Table.SESSIONS, 4 * 15 + 2, "ENI 15 session 2"),
        (Table.OUTER, (4 * 3 + 1) * 16 + 12, "outer header of ENI 3 session 1, word 12"),
        (Table.LOOKUP, 256 * 7 + (17 * 4 + 3) * 2 + 1, "lane 7, ENI 1 egress, slot 3, value 0x1"),
        (Table.LOOKUP, 256 * 99 + 31, "which rules accept, ENI 15 egress"),
    ],
)
def test_comments(table, index, words):
    assert comment(table, index, SHAPE) == words


@pytest.mark.parametrize(("table", "index"), [(Table.GENERAL, 2), (Table.GENERAL, 19), (Table.LOOKUP, 256 * 99 + 32)])
def test_words_that_do_not_exist(table, index):
    with pytest.raises(ValueError, match=f"has no word {index}"):
        comment(table, index, SHAPE)


@pytest.mark.parametrize(
    ("table", "index", "words"),
    [
        (Table.SESSIONS, 4 + 2, "ENI 1 session 2"),
        (Table.SESSIONS, 4096 + (4 + 2) * 32 + 31, "receivers of ENI 1 session 2, slots 248 to 255"),
        (Table.OUTER, ((2 * 2 + 1) * 4 + 2) * 16 + 3, "outer header of ENI 1 session 2, receiver 2, word 3"),
    ],
)
def test_words_of_a_build_with_receivers(table, index, words):
    assert comment(table, index, NicShape(enis=2, receivers=3)) == words


def test_the_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"halfsilver {VERSION}\n"
    assert REGISTERS["VERSION"].unpack(REGISTERS["VERSION"].pack()) == dict(
        zip(("major", "minor", "patch"), map(int, VERSION.split(".")), strict=True)
    )
