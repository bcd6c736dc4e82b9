"""All blocks about which something is claimed."""

from __future__ import annotations

from halfsilver.sim.formal import arbiter, banks, egress, queue, streams

__all__ = ["SETUPS"]

SETUPS = (*streams.SETUPS, *egress.SETUPS, *arbiter.SETUPS, *banks.SETUPS, *queue.SETUPS)
