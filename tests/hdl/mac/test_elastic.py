"""Back-to-back frames of the longest kind, clocks 200 ppm apart: nothing is lost, cut or late, in either direction.

The player's clock is the sender's, the MAC's is that of transmission; between them the core passes each beat on.
Frames and FCS are zlib's, and what was recorded is taken apart here.
"""

import json
import random
import zlib

import pytest

from halfsilver.sim.cocotb_model import TOP, build_model, simulate
from halfsilver.sim.model.verilog import to_verilog
from tests.hdl.mac.elastic_top import ERROR, LANES, STALL_PATTERN, VALID, ElasticTop

START = bytes([0x55] * 7 + [0xD5])
LONGEST = 9216
ALWAYS = (1 << STALL_PATTERN) - 1
OCTET_PS = 80_000
"""Ten times as long as it is, so that 200 ppm are whole picoseconds."""
CORE_PS = {8: OCTET_PS - 40, 32: 2 * OCTET_PS, 64: 4 * OCTET_PS}


def wire(frames, gap=12):
    """What is played: frames with their FCS, ``gap`` octets between them."""
    script = []
    for frame in frames:
        octets = START + frame + zlib.crc32(frame).to_bytes(4, "little")
        script += [VALID | octet for octet in octets] + [0] * gap
    return script


def play(tmp_path, width, frames, repeats, *, ppm, stalls=ALWAYS):
    """Run it with the sender ``ppm`` faster; returns counters (as numbers) and what was recorded, entry by entry."""
    model = build_model(f"elastic MAC, {width} bit", to_verilog(ElasticTop(width), TOP))
    script = wire(frames)
    octets = len(script) * repeats
    job = tmp_path / "job"
    output, results, log = tmp_path / "record", tmp_path / "results.xml", tmp_path / "simulation.log"
    settings = {
        "clk": CORE_PS[width],
        "wire_clk": round(OCTET_PS * (1 - ppm / 1e6)),
        "clk125": OCTET_PS,
        "script": script,
        "repeats": repeats,
        "stalls": stalls,
        "clocks": octets + 4000,
        "words": (octets + 2000) // LANES,
        "output": str(output),
    }
    job.write_text(json.dumps(settings))
    environment = {"MAC_JOB": str(job), "COCOTB_LOG_LEVEL": "WARNING"}
    bench = "tests.hdl.mac.elastic_bench"
    code = simulate(model, bench, tmp_path, seed=1, results=results, log=log, timeout=300, environment=environment)
    assert code == 0 and output.exists(), log.read_text()[-3000:]
    received, sent, *words = (int(line, 16) for line in output.read_text().split())
    return received, sent, [word >> 10 * lane & 0x3FF for word in words for lane in range(LANES)]


def frames_of(entries):
    """(place of the first preamble octet, place behind the last octet, octets) of each frame that was recorded."""
    found, start = [], None
    for place, entry in enumerate(entries):
        assert not entry & ERROR
        if entry & VALID and start is None:
            start = place
        elif not entry & VALID and start is not None:
            found.append((start, place, bytes(octet & 0xFF for octet in entries[start:place])))
            start = None
    return found


def whole_and_in_order(entries, frames):
    """Whether exactly these frames were recorded; returns their places and the gaps."""
    found = frames_of(entries)
    assert len(found) == len(frames)
    for (_, _, octets), frame in zip(found, frames, strict=True):
        assert octets == START + frame + zlib.crc32(frame).to_bytes(4, "little")
    starts = [start for start, _, _ in found]
    gaps = [start - end for (_, end, _), (start, _, _) in zip(found, found[1:], strict=False)]
    return starts, gaps


@pytest.mark.parametrize("width", [32])
@pytest.mark.parametrize("ppm", [200, -200])
def test_longest_frames_back_to_back(width, ppm, tmp_path):
    """A faster sender's frames leave as fast as they come, by shorter gaps; a slower one's are never cut."""
    frame = random.Random(f"{width} {ppm}").randbytes(LONGEST)
    repeats = 14
    received, sent, entries = play(tmp_path, width, [frame], repeats, ppm=ppm)
    assert received == repeats and sent == repeats, "good ones alone"
    starts, gaps = whole_and_in_order(entries, [frame] * repeats)
    assert min(gaps) >= 8
    period = len(START) + LONGEST + 4 + 12
    # In octets of the transmit clock; a lag that grew with each frame would be 26 in the end.
    lags = [start - starts[0] - number * period * (1 - ppm / 1e6) for number, start in enumerate(starts)]
    assert max(lags) - min(lags) < 6, lags


def test_a_core_that_hesitates_does_not_cut_frames(tmp_path):
    """A slower sender, and a core that is late by four of its clocks (8 octets) again and again."""
    frames = [random.Random(size).randbytes(size) for size in (60, 61, 100, 1514, LONGEST)]
    stalls = sum(1 << place for place in range(STALL_PATTERN) if place not in range(20, 24))
    received, sent, entries = play(tmp_path, 32, frames, 2, ppm=-200, stalls=stalls)
    assert (received, sent) == (10, 10)
    whole_and_in_order(entries, frames * 2)
