"""All blocks about which something is claimed."""

from __future__ import annotations

from halfsilver.sim.formal.blocks import arbiter, banks, counters, counting, egress, queue, streams, verdicts

__all__ = ["SETUPS"]

SETUPS = (
    *streams.SETUPS,
    *egress.SETUPS,
    *arbiter.SETUPS,
    *banks.SETUPS,
    *verdicts.SETUPS,
    *counting.SETUPS,
    *counters.SETUPS,
    *queue.SETUPS,
)
