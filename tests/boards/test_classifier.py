"""The figures of the classifier: what is counted, what has room where, and which builds there are."""

import pytest

from halfsilver.boards.classifier import BUILDS, count, smallest_part


def test_cells_are_counted_as_nextpnr_packs_them():
    """A carry cell takes two LUT4s, a distributed RAM of 16 x 4 four for its words and two for its write port."""
    cells = {"LUT4": 100, "CCU2C": 10, "TRELLIS_DPR16X4": 5, "TRELLIS_FF": 70, "DP16KD": 3, "PFUMX": 9}
    assert count({"design": {"num_cells_by_type": cells}}) == {"lut": 150, "ff": 70, "ebr": 3}
    assert count({"design": {"num_cells_by_type": {}}}) == {"lut": 0, "ff": 0, "ebr": 0}


@pytest.mark.parametrize(
    ("lut", "ebr", "part"),
    [(500, 56, "25F"), (500, 57, "45F"), (24_289, 1, "45F"), (1, 109, "85F"), (1, 208, "85F"), (1, 209, None)],
)
def test_the_smallest_part_with_room(lut, ebr, part):
    assert smallest_part(lut, ebr) == part


def test_ten_thirty_and_a_hundred_and_twenty_rules_by_interfaces_at_a_lookup_per_clock():
    found = {(build.context_rules, build.enis) for build in BUILDS if build.parameters.lookup_clocks == 1}
    assert found == {(rules, enis) for rules in (10, 30, 120) for enis in (1, 4, 16)}
    assert all(build.parameters.matchers == 1 and build.parameters.shortest_frame <= 60 for build in BUILDS)
    assert len({build.name for build in BUILDS}) == len(BUILDS)
