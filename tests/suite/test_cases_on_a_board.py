"""The packet suite over registers and wires, as on a board, and from a recording of that without it."""

from __future__ import annotations

import pytest

from halfsilver.harness.bench.recording import Recorder
from halfsilver.harness.engines.card import CardEngine
from halfsilver.harness.engines.registry import Ability, entry_of
from halfsilver.harness.records import DEFAULT_FLAGS
from halfsilver.harness.suite.conformance import CASES
from halfsilver.harness.suite.engines import Engines
from halfsilver.harness.suite.nic import Mismatch, Nic
from halfsilver.harness.suite.run import run_case
from halfsilver.hdl.layout.parameters import NicShape
from tests.harness.bench.board_kit import Board, memory_wires

BOARD = "board:memory"
SHAPE = NicShape(enis=4, sessions=3, rules=10)
EACH = 5
"""One case in so many is run, of those that a board can be asked."""

ABILITIES = entry_of(BOARD).abilities
ASKED = [case for case in CASES if ABILITIES.issuperset(case.needs) and not case.policies[0].guarded][::EACH]
RULES = next(case for case in CASES if case.name == "rules-in-ascending-number")


class BoardInMemory(CardEngine):
    """A card between two wires, which judges by the golden model."""

    def __init__(self, recorder: Recorder) -> None:
        self.board = Board(RULES.policies[0], shape=SHAPE)
        super().__init__(self.board.card, *memory_wires(self.board), name=BOARD, patience=0.2, recorder=recorder)

    def configure(self, policy, flags=DEFAULT_FLAGS):
        self.board.policy, self.board.flags = policy, flags
        return super().configure(policy, flags)


def run_cases(engines: Engines, name: str, cases) -> None:
    """The first ``Mismatch`` of these, if there is one; the engine is closed."""
    engine = engines.get(name)
    try:
        for case in cases:
            run_case(case, lambda policy, flags: Nic(engine, policy, flags))
    finally:
        engines.close()


@pytest.mark.slow
def test_cases_on_a_board_and_again_from_a_recording(tmp_path):
    path = str(tmp_path / "run.jsonl")
    recorder = Recorder(path)
    run_cases(Engines(1, lambda name, seed: BoardInMemory(recorder)), BOARD, ASKED)
    recorder.close()
    run_cases(Engines(1), f"replay:{path}", ASKED)


def test_a_recording_of_a_board_with_a_fault_fails_again(tmp_path):
    """Each record names a rule that did not decide."""
    path = str(tmp_path / "run.jsonl")
    recorder = Recorder(path)
    engine = BoardInMemory(recorder)
    engine.board.on_record = lambda record: [record[:13] + b"\x07" + record[14:]]
    with pytest.raises(Mismatch, match="frame 1: rule expected 10"):
        run_cases(Engines(1, lambda name, seed: engine), BOARD, [RULES])
    recorder.close()
    with pytest.raises(Mismatch, match="frame 1: rule expected 10"):
        run_cases(Engines(1), f"replay:{path}", [RULES])


def test_what_a_board_is_not_asked():
    """Marks that no port of a host sends."""
    assert len(ASKED) > 10 and ABILITIES.isdisjoint({Ability.BAD_FRAMES, Ability.DROP_MARK})
