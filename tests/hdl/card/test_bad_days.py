"""The whole card on bad days, in Verilator: see `tests.hdl.card.bad_days`."""

import random

import pytest

from tests.hdl.card.small_card import run_bench

BENCH = "tests.hdl.card.bad_days"
OFTEN = "everything_that_can_be_wrong|a_reset_in_any_clock|a_reset_while_clocks_stand|before_the_transmit_clock"
"""What each run of continuous integration has time for: the tables go over the serial line once a simulation."""


def bad_days(folder, resets, test_filter=None):
    seed = random.randrange(1 << 31)
    run_bench(BENCH, 2, folder, seed=seed, environment={"BAD_DAY_RESETS": str(resets)}, test_filter=test_filter)


def test_bad_frames_and_a_reset(tmp_path):
    bad_days(tmp_path, 1, OFTEN)


@pytest.mark.long
def test_all_bad_days(tmp_path):
    bad_days(tmp_path, 20)
