"""``make bench``: clock cycles per second of the native pump beside hand-written cocotb, on the same frames.

Both drive the exported top with the example's policy, frames back to back on both inputs. The copies and verdicts of
both must be equal. Cocotb runs on the build that our regression uses, optimised and with nothing visible but the
ports: that is the yardstick. ``--stock`` adds cocotb on a model with the flags of its own runner, which is slower.
Seconds are processor time of the simulating process, and the fastest of several runs counts, so that other work on
the machine blurs the ratio little. The result goes to ``build/speed.json``.
"""

from __future__ import annotations

import json
import pickle
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from halfsilver.harness.arguments import Parser
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.records import Frame
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.build import build_nic
from halfsilver.sim.cocotb_model import TOP, Flavour, build_model, simulate
from halfsilver.sim.example import example_batch
from halfsilver.sim.model.verilog import block_verilog
from halfsilver.sim.places import BUILD, shown
from halfsilver.sim.pump import INPUTS, Pacing, Pump, PumpRun

__all__ = ["main"]

TARGET = 50
COCOTB_SECONDS = 900
RUNS = 5
REPEATS = 20
"""The pump is so much faster that it takes the batch this many times in each run, to be measured at all."""

LABELS = {
    "pump": "native pump",
    "cocotb": "hand-written cocotb, lean build",
    "cocotb_stock": "  built as cocotb's runner does",
}
LABEL = max(map(len, LABELS.values()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; prints both speeds and their ratio. Exit code 0, or that of the error."""
    parser = Parser(prog="python -m halfsilver.sim.speed", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--frames", type=int, default=400, metavar="N", help="frames of the example to use (default: %(default)s)"
    )
    parser.add_argument("--width", type=int, default=64, metavar="BITS", help="data width (default: %(default)s)")
    parser.add_argument("--stock", action="store_true", help="also with the flags of cocotb's own runner")
    options = parser.parse_args(arguments)
    try:
        print(_report(_measure(options.frames, options.width, options.stock)))
    except HalfsilverError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _measure(count: int, width: int, stock: bool) -> dict[str, Any]:
    parameters = NicParameters(width=width, enis=4)
    writes, frames = example_batch(parameters, count)
    run, speed = _run_pump(parameters, writes, frames)
    result = {"width": width, "frames": len(frames), "bytes": sum(len(frame.data) for frame in frames), "pump": speed}
    for name in ("cocotb", "cocotb_stock") if stock else ("cocotb",):
        flavour = Flavour.STOCK if name == "cocotb_stock" else Flavour.FAST
        runs = [_run_cocotb(parameters, writes, frames, flavour) for _ in range(RUNS)]
        slow = min(runs, key=lambda each: float(each["seconds"]))
        for what, mine in (("copies", run.copies), ("verdicts", run.verdicts)):
            if sorted(mine) != sorted(slow[what]):
                raise HalfsilverError(f"pump and cocotb gave different {what}: {len(mine)} and {len(slow[what])}")
        result[name] = _speed(slow["cycles"], slow["seconds"], len(frames))
    return result


def _speed(cycles: int, seconds: float, frames: int) -> dict[str, float]:
    return {
        "cycles": cycles,
        "seconds": seconds,
        "cycles_per_second": cycles / seconds,
        "frames_per_second": frames / seconds,
    }


def _run_pump(
    parameters: NicParameters, writes: list[tuple[int, int]], frames: list[Frame]
) -> tuple[PumpRun, dict[str, float]]:
    """What came out of the first batch, and the speed of the fastest run.

    Each run loads a copy of the library: the model's code is larger than the processor's first caches, and how its file
    happens to lie in memory makes a fifth of the speed.
    """
    library = build_nic(parameters)
    pacing = Pacing(full_rate=True)
    firsts, speeds = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory(prefix="halfsilver-") as place:
            pump = Pump(Path(shutil.copy(library, place)))
        pump.write(writes)
        firsts.append(pump.run(frames, pacing))
        start = time.process_time()
        runs = [pump.run(frames, pacing) for _ in range(REPEATS)]
        seconds = time.process_time() - start
        pump.close()
        speeds.append(_speed(sum(run.cycles for run in runs), seconds, REPEATS * len(frames)))
    return firsts[0], max(speeds, key=lambda speed: speed["cycles_per_second"])


def _run_cocotb(
    parameters: NicParameters, writes: list[tuple[int, int]], frames: list[Frame], flavour: Flavour
) -> dict[str, Any]:
    place = BUILD / "speed"
    place.mkdir(parents=True, exist_ok=True)
    job, log = place / "job.pickle", place / "cocotb.log"
    job.write_bytes(
        pickle.dumps(
            {
                "writes": writes,
                "verdicts": len(frames),
                "settle": 32,
                "frames": {
                    prefix: [frame.data for frame in frames if frame.direction is direction]
                    for direction, prefix in INPUTS.items()
                },
            }
        )
    )
    result = job.with_suffix(".result")
    result.unlink(missing_ok=True)
    verilog, _ = block_verilog("export.AxiNic", asdict(parameters), {}, TOP)
    code = simulate(
        build_model(f"{parameters.width} bit", verilog, flavour=flavour),
        "halfsilver.sim.speed_cocotb",
        place,
        seed=1,
        results=place / "results.xml",
        log=log,
        timeout=COCOTB_SECONDS,
        environment={"HALFSILVER_SPEED_JOB": str(job)},
    )
    if code:
        raise HalfsilverError(f"the cocotb half ended with status {code} (log: {log})")
    if not result.exists():
        raise HalfsilverError(f"the cocotb half gave no result (log: {log})")
    answer: dict[str, Any] = pickle.loads(result.read_bytes())
    return answer


def _report(measured: dict[str, Any]) -> str:
    path = BUILD / "speed.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(measured, indent=2) + "\n")
    lines = [
        f"{measured['frames']} frames, {measured['bytes']:,} bytes, {measured['width']} bit, back to back",
        f"{'':{LABEL}}  {'cycles/s':>12}  {'frames/s':>12}  {'pump is':>10}",
    ]
    pump = measured["pump"]["cycles_per_second"]
    for name, label in LABELS.items():
        if name in measured:
            speed = measured[name]
            lines.append(
                f"{label:{LABEL}}  {speed['cycles_per_second']:12,.0f}  {speed['frames_per_second']:12,.0f}"
                f"  {pump / speed['cycles_per_second']:9.1f}x"
            )
    ratio = pump / measured["cocotb"]["cycles_per_second"]
    met = "met" if ratio >= TARGET else "not met"
    lines.append(
        f"the pump is {ratio:.1f} times as fast as hand-written cocotb on our lean build (aim: {TARGET}, {met}); "
        f"copies and verdicts are equal; {shown(path)}"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
