"""The boards' cards: what they are made of, and what `halfsilver build` refuses."""

from __future__ import annotations

import re

import pytest

from halfsilver.boards import BOARDS
from halfsilver.boards.card_build import build_of, design_of
from halfsilver.boards.flow import GATEWARE, HINTS, gateware_of, made_of_luts, own_synchronizers, undefined_collisions
from tests.harness.commands.cli_kit import run

SMALLEST = "colorlight-5a-75b"


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_has_a_card(name):
    board, build = BOARDS[name], build_of(BOARDS[name])
    design = design_of(board)
    assert design.clocks["sync"] * build.parameters.width > 1000 * 1.5, "1 Gb/s with room"
    assert len(design.clocks) == 2 + board.ports
    assert f"{design.platform.device}-{design.platform.speed}" == board.device == design.device
    assert set(build.lights) <= {"link", "production", "copies", "skips"}
    assert build.parameters.cut_copies <= build.longest
    smoke = design_of(board, smoke=True)
    assert smoke.name == f"{name}-smoke" and smoke.parameters["rules"] == smoke.parameters["sessions"] == 1


def test_etherbone_is_for_boards_with_a_port_to_the_host():
    for name, board in BOARDS.items():
        if board.ports == 2:
            design = design_of(board, etherbone=True)
            assert design.name == f"{name}-etherbone" and design.parameters["etherbone"] == "169.254.72.83"
            assert "etherbone" not in design_of(board).parameters
            small = design_of(board, smoke=True, etherbone=True)
            assert small.name == f"{name}-smoke-etherbone" and small.parameters["copies"] == 8


def test_etherbone_leaves_the_colorlight_one_session():
    plain, etherbone = (design_of(BOARDS["colorlight-5a-75b"], etherbone=wanted).parameters for wanted in (False, True))
    assert (plain["sessions"], etherbone["sessions"]) == (3, 1)
    assert plain["rules"] == etherbone["rules"] == 10


def test_memories_of_two_clocks_keep_their_collisions():
    text = """
module \\top.one
  cell $memwr_v2 $1
    connect \\CLK \\clk [0]
  end
  cell $memrd_v2 $2
    connect \\CLK \\clk [0]
  end
end
module \\top.two
  cell $memwr_v2 $1
    connect \\CLK \\clk [0]
  end
  cell $memrd_v2 $2
    connect \\CLK \\rx_clk [0]
  end
end
module \\top.none
end
"""
    assert undefined_collisions(text) == "setparam -set COLLISION_X_MASK 1'1 top.one/t:$memrd_v2\n"
    assert HINTS.endswith(".ys")


def test_synchronizers_of_ports_are_not_made_one():
    text = "module \\top.net.queue.rst_cdc\nend\nmodule \\top.net.queue\nend\nmodule \\top.host.queue.rst_cdc\nend\n"
    kept = [f"setattr -set keep 1 top.{port}.queue.rst_cdc/c:*" for port in ("net", "host")]
    assert own_synchronizers(text).splitlines() == kept


def test_memories_made_of_luts():
    text = "module \\top.a.queue.pending\nend\nmodule \\top.b.queue.pending\nend\nmodule \\top.pending\nend\n"
    lines = [f'setattr -set ram_style "distributed" top.{each}.queue.pending/m:*' for each in ("a", "b")]
    assert made_of_luts(text, ["queue.pending"]).splitlines() == lines
    with pytest.raises(ValueError, match="no memory queue.kept"):
        made_of_luts(text, ["queue.kept"])


@pytest.mark.parametrize("name", [name for name, board in BOARDS.items() if build_of(board).in_luts])
def test_the_memories_that_a_board_names_are_there(name):
    """In the gateware as Yosys gets it: two directions have each, with its memory and its hint about collisions."""
    design = design_of(BOARDS[name])
    files = gateware_of(design)
    modules = dict(re.findall(r"^module (\\\S+)\n(.*?)^end$", files[GATEWARE], re.DOTALL | re.MULTILINE))
    for end in design.in_luts:
        found = [text for module, text in modules.items() if module.endswith(f".{end}")]
        assert len(found) == 2 and all("\n  memory " in text for text in found)
    assert files[HINTS].count('ram_style "distributed"') == 2 * len(design.in_luts)
    assert files[HINTS].count("queue.pending/t:$memrd_v2") == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((SMALLEST, "--seeds", "one"), "--seeds one: wanted are numbers with commas between, such as 1,2,3"),
        ((SMALLEST, "--seeds", ""), "wanted are numbers"),
        ((SMALLEST, "--seeds", "1,1"), "seeds are different numbers from 0, not 1, 1"),
        ((SMALLEST, "--seeds", "-1"), "seeds are different numbers from 0, not -1"),
        (("ecpix5-85f", "--etherbone"), "ecpix5-85f has no port to the host, where Etherbone is"),
        (("colorlight",), "invalid choice: 'colorlight' (did you mean colorlight-5a-75b?)"),
        (("ulx3s",), "there are versa-ecp5-5g, colorlight-5a-75b, ecpix5-85f"),
    ],
)
def test_what_cannot_be_built(tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert run("build", *arguments) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1 and not list(tmp_path.iterdir())
