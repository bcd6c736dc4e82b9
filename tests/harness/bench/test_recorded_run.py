"""A run on a virtual board, as it was recorded, played without it: gateware's answers, in half a second.

    .venv/bin/python -m tests.harness.bench.test_recorded_run

records it anew, in some minutes: wanted when the driver, or the engine of cards, asks a card in another order.
"""

import gzip
import json
import sys
import tempfile
import zlib
from pathlib import Path

from halfsilver.harness.bench.recording import CRC_MARK
from halfsilver.harness.cli import main
from halfsilver.harness.engines.registry import VIRTUAL
from halfsilver.harness.errors import EXIT_OK, EXIT_USAGE
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


def play(folder, lines):
    """The exit code of a run that is played from these lines."""
    run = folder / "run.jsonl"
    run.write_bytes(b"".join(lines))
    return main(words(folder, f"replay:{run}"))


def test_a_byte_of_the_recording_that_is_altered_fails_the_run(tmp_path, capsys):
    """In the file, where the line's CRC is wrong; and in each frame that came, with the CRC that it would have had."""
    lines = gzip.decompress(RUN.read_bytes()).splitlines(keepends=True)
    assert play(tmp_path, [*lines[:-2], lines[-2].replace(b'"op"', b'"oq"'), lines[-1]]) == EXIT_USAGE
    assert f"run.jsonl, line {len(lines) - 1}: is cut or damaged" in capsys.readouterr().err

    came = [number for number, line in enumerate(lines) if json.loads(line).get("frames") and b'"receive"' in line]
    assert came
    for number in came:
        told = json.loads(lines[number])
        del told["crc"]
        time_ns, frame = told["frames"][0]
        told["frames"][0] = [time_ns, f"{frame[:-1]}{int(frame[-1], 16) ^ 1:x}"]
        text = json.dumps(told, separators=(",", ":"))[:-1]
        changed = f'{text}{CRC_MARK}{zlib.crc32(text.encode()):08x}"}}\n'.encode()
        assert play(tmp_path, [*lines[:number], changed, *lines[number + 1 :]]) != EXIT_OK, text
        assert "agreement" not in capsys.readouterr().out


def record():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = main(words(folder, VIRTUAL, "--record", folder / "run.jsonl"))
        if code == EXIT_OK:
            RUN.write_bytes(gzip.compress((folder / "run.jsonl").read_bytes(), mtime=0))
        return code


if __name__ == "__main__":
    sys.exit(record())
