"""Commits at every cycle of a few frames, to and fro between two rule sets that have nothing in common; and into banks
that held something else: all ones, all zeros, anything."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.register_map import WORD_BITS
from halfsilver.sim.traffic.flow import IPV4, IPV6
from halfsilver.sim.traffic.live import LiveNic
from halfsilver.sim.traffic.sweeps.decisions import rules
from halfsilver.sim.traffic.sweeps.octets import ALL_OF_THE_HASH, back_to_back, outer_of, some_frames, transparent

__all__ = ["check_commits", "check_leftovers"]

FRAMES = 4
"""Of each direction, around a commit."""

STALLS = (0.0, 0.0, 0.5)

CASES = 60
"""Frames of those of a rule set, before and after it is put in force."""

RUBBISH = ((1 << WORD_BITS) - 1, None, 0)
"""The words that are written to a bank before its rule set; None: any."""


def check_commits(
    parameters: NicParameters, seed: int, cycles: Iterable[int], turns: int, library: Path | None = None
) -> None:
    """First ``turns`` commits without a frame, then one after so many cycles of a batch, for each.

    HalfsilverError says what was judged, or sent, by the wrong rule set.
    """
    rng = random.Random(f"commits {seed}")
    nic = LiveNic(parameters, seed=seed, library=library, recounts=False)
    try:
        policy = transparent(rng, parameters)
        rule_sets = [(policy, ALL_OF_THE_HASH), (_other(rng, policy), Flags(terminal_reject=True))]
        for rule_set in rule_sets:
            nic.stage(rng, rule_set, [], back_to_back())
            nic.commit(rng, 1, [], back_to_back())
        nic.turn(turns)
        for cycle in cycles:
            frames = some_frames(rng, policy, FRAMES, FRAMES)
            try:
                nic.commit_at([cycle], frames, back_to_back(rng.choice(STALLS)))
            except HalfsilverError as error:
                raise HalfsilverError(f"commit at cycle {cycle}, seed {seed}: {error}") from None
        nic.check_counters()
    finally:
        nic.close()


def check_leftovers(parameters: NicParameters, seed: int, rounds: int, library: Path | None = None) -> None:
    """HalfsilverError if a word that was written over, or that is still to be put in force, decides anything."""
    rng = random.Random(f"leftovers {seed}")
    nic = LiveNic(parameters, seed=seed, library=library)
    try:
        everything = transparent(rng, parameters), ALL_OF_THE_HASH
        nic.stage(rng, everything, [], back_to_back())
        nic.commit(rng, 1, [], back_to_back())
        frames = some_frames(rng, everything[0], CASES // 2, CASES // 2)
        narrow = list(rules(rng, parameters, False))
        for number in range(rounds):
            policy, flags, cases, _ = narrow[number % len(narrow)]
            chosen = rng.choices(cases, k=CASES)
            nic.litter(rng, RUBBISH[number % len(RUBBISH)], everything, frames, back_to_back())
            nic.stage(rng, (policy, flags), [], back_to_back())
            nic.commit(rng, 1, chosen, back_to_back())
            frames = rng.choices(cases, k=CASES)
        nic.process(frames, back_to_back())
    finally:
        nic.close()


def _other(rng: random.Random, policy: Policy) -> Policy:
    """The same interfaces in another order; other outer packets and lengths, and first rules that reject."""
    interfaces = []
    for number, each in enumerate(reversed(policy.interfaces)):
        sessions = []
        for place, session in enumerate(each.sessions):
            outer = outer_of(rng, each.mac, (IPV6, IPV4)[(number + place) % 2])
            first, *others = session.ingress
            ingress = (replace(first, accept=False), *others)
            sessions.append(
                replace(session, outer=outer, vni=rng.getrandbits(24) | 1, packet_length=40, ingress=ingress)
            )
        interfaces.append(replace(each, sessions=tuple(sessions)))
    return Policy(tuple(interfaces))
