"""Situations: a policy, run-time flags, frames and a pace, from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.policy.policy import Policy, Session
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.frames import MAX_FRAME
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.pump import Pacing
from halfsilver.sim.traffic.chance import filler, happens
from halfsilver.sim.traffic.frames import Scene, draw_frame
from halfsilver.sim.traffic.outer_edges import EDGES, UDP_CHECKSUM, even_out
from halfsilver.sim.traffic.policies import draw_flags, draw_places, draw_policy

__all__ = ["Situation", "carries", "draw_situation", "golden_for", "paced", "situations"]

USUAL_FRAMES = 60
STALLS = (0.0, 0.0, 1 / 16, 0.3)
"""Probabilities of a pause per clock cycle."""

OVERLOAD_STALLS = (0.5, 0.9, 0.98)
_OUTER_OVER_IPV6 = b"\x86\xdd"
_PROTECTED_END = 100
"""Bytes at the end of a copy's first part in which no header of the inner frame ends, if it is a plain one."""


class Situation(NamedTuple):
    """What both engines are given. ``pacing`` with ``full_rate``: copies may be congested, in the gateware only."""

    policy: Policy
    flags: Flags
    frames: list[Frame]
    pacing: Pacing


def situations(
    seed: int, count: int, parameters: NicParameters, *, frames: int = USUAL_FRAMES, full_rate: bool | None = None
) -> Iterator[Situation]:
    """``count`` situations for a build, the same ones for the same seed: ``(policy, flags, frames, pacing)`` each.

    seed        gives the whole sequence; situation n does not depend on ``count``
    parameters  of the build: its interfaces, sessions and rules bound the policy, its extension headers, width and
                buffers say where the edges are
    frames      in a situation (an overload has more)
    full_rate   only situations that are offered back to back (True) or only paced ones (False); None: both

    To be run in order on one pair of engines, so that what an overload or a long chain leaves behind shows in the
    next. The golden model must have the same ``extension_headers`` and ``toeplitz_key`` (``golden_for``).
    """
    for number in range(count):
        yield draw_situation(random.Random(f"{seed} {number}"), parameters, frames, full_rate)


def golden_for(parameters: NicParameters) -> GoldenEngine:
    """The golden model of a build."""
    return GoldenEngine(
        extension_headers=parameters.extension_headers,
        toeplitz_key=parameters.hash_key,
        longest_copy=parameters.cut_copies,
    )


def draw_situation(
    rng: random.Random, parameters: NicParameters, frames: int = USUAL_FRAMES, full_rate: bool | None = None
) -> Situation:
    """One situation, of one of several kinds."""
    if full_rate or (full_rate is None and happens(rng, 8)):
        return _overload(rng, parameters, frames)
    return rng.choice(_KINDS)(rng, parameters, frames)


def carries(rng: random.Random, parameters: NicParameters, frames: int, longest: int) -> Situation:
    """Enough frames that counters and sequence numbers carry into bits that no usual run sees.

    ``frames`` of one byte per direction, which are malformed and so counted alone, and ``longest`` of the longest
    that are mirrored whole, for counters of bytes.
    """
    places = draw_places(rng)
    policy = _uncut(draw_policy(rng, parameters, places, wide=True))
    scene = Scene(policy, parameters, places)
    drawn = [Frame(b"\x02", direction) for direction in Direction for _ in range(frames)]
    drawn += [_plain(rng, scene, direction, MAX_FRAME) for direction in Direction for _ in range(longest)]
    pacing = replace(paced(rng, parameters), input_stalls=0.0, output_stalls=0.0)
    return Situation(policy, draw_flags(rng), drawn, pacing)


def _uncut(policy: Policy) -> Policy:
    """The policy without a packet length or an MTU, so that copies are whole."""

    def whole(session: Session) -> Session:
        outer = None if session.outer is None else replace(session.outer, mtu_limit=None)
        return replace(session, packet_length=None, outer=outer)

    return Policy(
        tuple(replace(each, sessions=tuple(whole(session) for session in each.sessions)) for each in policy.interfaces)
    )


def paced(rng: random.Random, parameters: NicParameters) -> Pacing:
    """Frames no faster than copies drain, so that none is congested; random pauses."""
    return Pacing(
        limit_bytes=parameters.queue_depth // 2,
        limit_frames=parameters.copies // 2,
        input_stalls=rng.choice(STALLS),
        output_stalls=rng.choice(STALLS),
    )


def _rules(rng: random.Random, parameters: NicParameters, frames: int) -> Situation:
    """Narrow rules and frames at their edges."""
    places = draw_places(rng)
    policy = draw_policy(rng, parameters, places)
    scene = Scene(policy, parameters, places, services=1)
    drawn = [draw_frame(rng, scene) for _ in range(frames)]
    return Situation(policy, draw_flags(rng), drawn, paced(rng, parameters))


def _services(rng: random.Random, parameters: NicParameters, frames: int) -> Situation:
    """Everything is mirrored but what the services keep back."""
    places = draw_places(rng)
    policy = draw_policy(rng, parameters, places, wide=True)
    scene = Scene(policy, parameters, places, services=12)
    drawn = [draw_frame(rng, scene) for _ in range(frames)]
    return Situation(policy, draw_flags(rng), drawn, paced(rng, parameters))


def _everything(rng: random.Random, parameters: NicParameters, frames: int) -> Situation:
    """Everything is mirrored, so that parsing shows in flow hash and length; some checksums made to be 0."""
    places = draw_places(rng)
    policy, flags = draw_policy(rng, parameters, places, wide=True), draw_flags(rng)
    scene = Scene(policy, parameters, places)
    drawn = [draw_frame(rng, scene) for _ in range(frames)]
    drawn += _at_checksum_edges(rng, parameters, policy, flags, drawn)
    return Situation(policy, flags, drawn, paced(rng, parameters))


def _at_checksum_edges(
    rng: random.Random, parameters: NicParameters, policy: Policy, flags: Flags, frames: list[Frame]
) -> list[Frame]:
    """Some of the frames again, with payload for which the UDP checksum over IPv6 is at an edge."""
    golden = golden_for(parameters)
    golden.configure(policy, flags)
    found = []
    for output in golden.process(frames).outputs:
        frame = frames[output.frame]
        copied = len(output.data) - UDP_CHECKSUM.stop - 8
        place = (copied - 2) & ~1
        if output.data[12:14] != _OUTER_OVER_IPV6 or place < _PROTECTED_END or happens(rng, 2):
            continue
        checksum = int.from_bytes(output.data[UDP_CHECKSUM], "big")
        changed = even_out(frame.data, place, checksum, rng.choice(EDGES))
        found.append(Frame(changed, frame.direction))
    return found


def _overload(rng: random.Random, parameters: NicParameters, frames: int) -> Situation:
    """More than the queues hold: frames back to back on both ports into a slow output.

    The lengths are chosen so that the bytes fill the buffer exactly, or the number of copies does.
    """
    places = draw_places(rng)
    policy = draw_policy(rng, parameters, places, wide=True)
    scene = Scene(policy, parameters, places, longest=400)
    size = rng.choice((64, 65, 128, 512, 1024, 1024 + parameters.width // 8, 4096, MAX_FRAME))
    room = min(parameters.copies, parameters.queue_depth // size) + rng.choice((-1, 0, 1, 2))
    drawn = [draw_frame(rng, scene) for _ in range(frames)]
    for direction in Direction:
        drawn += [_plain(rng, scene, direction, size) for _ in range(max(1, room))]
    pacing = Pacing(full_rate=True, output_stalls=rng.choice(OVERLOAD_STALLS))
    rng.shuffle(drawn)
    return Situation(policy, draw_flags(rng), drawn, pacing)


def _plain(rng: random.Random, scene: Scene, direction: Direction, size: int) -> Frame:
    """A frame of this length that is surely mirrored where the policy mirrors everything."""
    mac = rng.choice(scene.policy.interfaces).mac
    stranger = bytes.fromhex("0600000000aa")
    ends = mac + stranger if direction is Direction.INGRESS else stranger + mac
    head = ends + b"\x08\x00\x45" + bytes(8) + b"\x2f" + bytes(2) + rng.choice(scene.places.ipv4) * 2
    return Frame(head + filler(rng, size - len(head)), direction)


_KINDS: tuple[Callable[[random.Random, NicParameters, int], Situation], ...] = (_rules, _rules, _services, _everything)
