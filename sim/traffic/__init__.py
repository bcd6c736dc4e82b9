"""Random traffic that looks for what nobody thought of: policies, flags, frames and schedules, all from a seed.

Written from ``docs/mirroring.md`` and the RFCs alone. ``situations`` is the way in.
"""

from halfsilver.sim.traffic.pair import Pair
from halfsilver.sim.traffic.situations import Situation, draw_situation, golden_for, situations

__all__ = ["Pair", "Situation", "draw_situation", "golden_for", "situations"]
