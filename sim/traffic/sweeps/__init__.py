"""Traffic that goes through every case of a statement in order, where chance would need long to meet them all.

Written from ``docs/mirroring.md``, ``docs/tables.md`` and the register map alone. ``quick`` and ``thorough`` are
situations for a `Pair`; resets, room for copies and registers have checks of their own, on a NIC alone.
"""

from halfsilver.sim.traffic.sweeps.registers import check_registers
from halfsilver.sim.traffic.sweeps.resets import check_resets
from halfsilver.sim.traffic.sweeps.room import NUMBERS, SIZES, Crowd, crowd, held, least_held
from halfsilver.sim.traffic.sweeps.statements import quick, thorough

__all__ = [
    "NUMBERS",
    "SIZES",
    "Crowd",
    "check_registers",
    "check_resets",
    "crowd",
    "held",
    "least_held",
    "quick",
    "thorough",
]
