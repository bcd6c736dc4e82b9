"""A run on a virtual board, as it was recorded, played without it: gateware's answers, in half a second.

    .venv/bin/python -m tests.harness.bench.test_recorded_run

records it anew, in some minutes: wanted when the driver, or the engine of cards, asks a card in another order.
"""

import gzip
import json
import sys
import tempfile
from pathlib import Path

from halfsilver.harness.cli import main
from halfsilver.harness.engines.registry import VIRTUAL
from halfsilver.harness.errors import EXIT_OK
from tests.harness.commands.cli_kit import ANSWERS, write_capture, write_policy

RUN = Path(__file__).with_name("virtual_run.jsonl.gz")


def words(folder, engine, *more):
    return ["mirror", "-r", write_capture(folder), "-c", write_policy(folder), "--engine", engine, *map(str, more)]


def test_a_recorded_run_of_the_virtual_board(tmp_path, capsys):
    """The verdicts that are known by hand, and all that the golden model says."""
    run, verdicts = tmp_path / "run.jsonl", tmp_path / "verdicts.jsonl"
    run.write_bytes(gzip.decompress(RUN.read_bytes()))
    begin = json.loads(run.read_text().partition("\n")[0])
    assert begin["engine"] == VIRTUAL
    assert main(words(tmp_path, f"replay:{run}", "--verdicts", verdicts, "--json")) == EXIT_OK
    summary = json.loads(capsys.readouterr().out)
    assert summary["agreement"] and summary["conserved"] and summary["passed"] == len(ANSWERS)
    found = [json.loads(line) for line in verdicts.read_text().splitlines()]
    assert [(line["verdict"], line["direction"], line["length"], line["copied"]) for line in found] == [
        (verdict, direction, length, copied) for verdict, direction, *_, length, copied in ANSWERS
    ]


def record():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = main(words(folder, VIRTUAL, "--record", folder / "run.jsonl"))
        if code == EXIT_OK:
            RUN.write_bytes(gzip.compress((folder / "run.jsonl").read_bytes(), mtime=0))
        return code


if __name__ == "__main__":
    sys.exit(record())
