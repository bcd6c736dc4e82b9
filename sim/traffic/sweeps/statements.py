"""All sweeps in a row; ``thorough`` leaves no case of theirs out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic.situations import Situation
from halfsilver.sim.traffic.sweeps.decisions import limits, order, rules, services
from halfsilver.sim.traffic.sweeps.fields import fields
from halfsilver.sim.traffic.sweeps.headers import chains, cuts, ethertypes, giants, hash_bits, owners, protocols, runts

__all__ = ["quick", "thorough"]

_SWEEPS: tuple[Callable[[random.Random, NicParameters, bool], Iterator[Situation]], ...] = (
    runts,
    order,
    rules,
    limits,
    cuts,
    fields,
    protocols,
    chains,
    hash_bits,
    services,
    owners,
    giants,
    ethertypes,
)


def quick(seed: int, parameters: NicParameters) -> Iterator[Situation]:
    """What is likely to show something: some five thousand frames for a small build."""
    return _all(seed, parameters, every=False)


def thorough(seed: int, parameters: NicParameters) -> Iterator[Situation]:
    """Every case of every sweep."""
    return _all(seed, parameters, every=True)


def _all(seed: int, parameters: NicParameters, *, every: bool) -> Iterator[Situation]:
    for sweep in _SWEEPS:
        yield from sweep(random.Random(f"{sweep.__name__} {seed}"), parameters, every)
