"""Traffic that goes through every case of a statement in order, where chance would need long to meet them all.

Written from ``docs/mirroring.md``, ``docs/tables.md`` and the register map alone. ``quick`` and ``thorough`` are
situations for a `Pair`; resets, room for copies, registers and what stands behind them have checks of their own, on a
NIC alone.
"""

from halfsilver.sim.traffic.sweeps.bus import check_bus
from halfsilver.sim.traffic.sweeps.commits import check_commits, check_leftovers
from halfsilver.sim.traffic.sweeps.counters import check_counters
from halfsilver.sim.traffic.sweeps.pace import check_pace
from halfsilver.sim.traffic.sweeps.places import check_places
from halfsilver.sim.traffic.sweeps.registers import check_registers
from halfsilver.sim.traffic.sweeps.resets import check_resets
from halfsilver.sim.traffic.sweeps.ring import check_ring
from halfsilver.sim.traffic.sweeps.room import NUMBERS, SIZES, Crowd, crowd, held, least_held
from halfsilver.sim.traffic.sweeps.statements import quick, thorough
from halfsilver.sim.traffic.sweeps.tables import check_tables
from halfsilver.sim.traffic.sweeps.turns import check_turns

__all__ = [
    "NUMBERS",
    "SIZES",
    "Crowd",
    "check_bus",
    "check_commits",
    "check_counters",
    "check_leftovers",
    "check_pace",
    "check_places",
    "check_registers",
    "check_resets",
    "check_ring",
    "check_tables",
    "check_turns",
    "crowd",
    "held",
    "least_held",
    "quick",
    "thorough",
]
