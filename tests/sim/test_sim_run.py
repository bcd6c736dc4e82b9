"""``make sim``: what it is given reaches ``halfsilver mirror``."""

from __future__ import annotations

import pytest

from halfsilver.harness.cli import build_parser
from halfsilver.sim import run


def test_options_reach_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(run, "halfsilver", lambda arguments: given.append(arguments) or 0)
    assert run.main(["--pcap", "a.pcap", "--config", "b.json"]) == 0
    more = ["--tap", "--eni", "eni-1", "--direction", "egress", "--seed", "7", "--full-rate"]
    assert run.main(["--pcap", "a.pcap", "--config", "b.json", *more]) == 0
    plain, full = (build_parser().parse_args(arguments) for arguments in given)
    assert (plain.tap, plain.eni, plain.direction, plain.seed, plain.full_rate) == (False, None, "auto", 1, False)
    assert (full.tap, full.eni, full.direction, full.seed, full.full_rate) == (True, "eni-1", "egress", 7, True)
    assert plain.engine == full.engine == "verilator"
