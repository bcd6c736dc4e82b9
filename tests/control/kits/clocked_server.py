"""``halfsilver serve`` with a clock that a file sets, and an engine that has room for short frames alone.

The file has the time in seconds since 1970. Copies of frames of more than ``LONGEST`` bytes are skipped as in
congestion, which the golden model by itself does not know.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from halfsilver.harness.control import serving
from halfsilver.harness.control.http.server import Listen
from halfsilver.harness.engine import Progress, Result
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.records import Counters, Frame
from halfsilver.harness.verdict import Verdict, VerdictRecord

LONGEST = 1000


class Narrow(GoldenEngine):
    """The golden model behind a queue that is too short."""

    def __init__(self) -> None:
        super().__init__()
        self._counted = Counters()

    def process(self, frames: Sequence[Frame], progress: Progress | None = None) -> Result:
        result = super().process(frames, progress)
        verdicts = [_skipped(each) for each in result.verdicts]
        for each in verdicts:
            self._counted.count(each)
        outputs = [each for each in result.outputs if verdicts[each.frame].verdict is Verdict.MIRRORED]
        counters = Counters()
        counters.add(self._counted)
        return replace(result, outputs=outputs, verdicts=verdicts, counters=counters)


def _skipped(record: VerdictRecord) -> VerdictRecord:
    if record.verdict is Verdict.MIRRORED and record.length > LONGEST:
        return replace(record, verdict=Verdict.CONGESTED, copied=0)
    return record


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--inventory", type=Path)
    parser.add_argument("--clock", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    options = serving.Options(
        Narrow,
        Listen(port=arguments.port),
        arguments.state,
        arguments.inventory,
        clock=lambda: datetime.fromtimestamp(float(arguments.clock.read_text()), UTC),
    )
    serving.run(
        options, lambda ready: print(json.dumps({"url": ready.url, "credentials": str(ready.credentials)}), flush=True)
    )


if __name__ == "__main__":
    main()
