"""Recordings: whole or refused, and played back as they were, errors included."""

import json

import pytest

from halfsilver.harness.bench.playback import Playback
from halfsilver.harness.bench.recording import Recorder, RecordingIncomplete
from halfsilver.harness.engines.card import CardEngine
from halfsilver.harness.engines.registry import make_engine
from halfsilver.harness.errors import EXIT_ENVIRONMENT, HalfsilverError, UsageError
from halfsilver.harness.nic.transport import AnswerLost
from halfsilver.harness.report.compare import compare
from tests.harness.bench.board_kit import NET, Board, memory_wires
from tests.harness.bench.test_card_engine import POLICY, batch, flipped, golden_of, noisy, once

FRAMES = batch(40)


def recorded(path, board, patience=0.2):
    """Runs the batch; what came of it, a result or an error."""
    recorder = Recorder(str(path))
    engine = CardEngine(board.card, *memory_wires(board), name="board:test", patience=patience, recorder=recorder)
    try:
        engine.configure(POLICY)
        return engine.process(FRAMES)
    except HalfsilverError as error:
        return error
    finally:
        engine.close()
        recorder.close()


def played(path):
    engine = make_engine(f"replay:{path}", seed=1)
    engine.configure(POLICY)
    return engine.process(FRAMES)


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "run.jsonl"
    recorded(path, Board(POLICY))
    return path


def test_a_run_is_played_as_it_was(tmp_path):
    """With noise, so that ways are taken that depend on what came."""
    board = Board(POLICY)
    noisy(board, NET)
    path = tmp_path / "run.jsonl"
    result = recorded(path, board)
    assert played(path) == result and not compare(golden_of(FRAMES), result)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["op"] == "begin" and lines[0]["engine"] == "board:test"
    assert lines[-1]["op"] == "end" and lines[-1]["lines"] == len(lines)
    sent = [bytes.fromhex(frame) for line in lines if line["op"] == "send" for frame in line["frames"]]
    assert sorted(sent) == sorted(frame.data for frame in FRAMES)
    assert [line["t"] for line in lines] == sorted(line["t"] for line in lines)


@pytest.mark.parametrize(
    "change",
    [lambda data: [], lambda data: [data, data], lambda data: [flipped(data)]],
    ids=["lost", "twice", "changed"],
)
def test_a_run_that_failed_fails_again(tmp_path, change):
    board = Board(POLICY)
    board.on_leave = once(NET, change)
    path = tmp_path / "run.jsonl"
    error = recorded(path, board)
    with pytest.raises(type(error)) as raised:
        played(path)
    assert str(raised.value) == str(error)


def test_an_error_of_the_rig_comes_again(tmp_path):
    board = Board(POLICY)
    reads = board.card.read

    def read(addresses):
        if len(board.card.verdicts) > 5:
            raise AnswerLost("the line")
        return reads(addresses)

    board.card.read = read
    path = tmp_path / "run.jsonl"
    error = recorded(path, board)
    with pytest.raises(HalfsilverError) as raised:
        played(path)
    assert str(raised.value) == str(error) and raised.value.exit_code == error.exit_code == 4


def test_another_run_is_refused(recording):
    engine = make_engine(f"replay:{recording}", seed=1)
    engine.configure(POLICY)
    with pytest.raises(UsageError, match=r"run.jsonl, line \d+: the recorded run has a line of another send"):
        engine.process(FRAMES[1:])
    engine = make_engine(f"replay:{recording}", seed=1)
    engine.configure(POLICY)
    engine.process(FRAMES)
    with pytest.raises(UsageError, match="the recorded run was over where this one has a receive"):
        engine.process(FRAMES)


def test_a_recording_that_is_cut_is_refused(recording):
    """After each line, and in the middle of one; with the number of the line."""
    whole = recording.read_bytes()
    lines = whole.splitlines(keepends=True)
    for kept in (1, 2, len(lines) // 2, len(lines) - 1):
        recording.write_bytes(b"".join(lines[:kept]))
        with pytest.raises(UsageError, match=f"run.jsonl, line {kept}: the recording is cut off here"):
            Playback(str(recording))
        recording.write_bytes(b"".join(lines[:kept]) + lines[kept][: len(lines[kept]) // 2])
        with pytest.raises(UsageError, match=f"run.jsonl, line {kept + 1}: is cut or damaged"):
            Playback(str(recording))
    recording.write_bytes(b"")
    with pytest.raises(UsageError, match="line 1: is not the begin of a recording"):
        Playback(str(recording))
    recording.write_bytes(b"".join(lines[:3] + lines[4:]))
    with pytest.raises(UsageError, match=f"ends {len(lines):,} lines, of which {len(lines) - 1:,} are there"):
        Playback(str(recording))


def test_a_recording_with_a_changed_bit_is_refused(recording):
    whole = recording.read_bytes()
    for at in range(0, len(whole), 997):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        recording.write_bytes(damaged)
        line = whole[:at].count(b"\n") + 1
        with pytest.raises(UsageError, match=f"line ({line}|{line + 1}): "):
            Playback(str(recording))


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "run.jsonl"
    recorder = Recorder(str(path))
    recorder.write(op="begin", format=99)
    recorder.close()
    with pytest.raises(UsageError, match="line 1: has format 99; this version reads 1"):
        Playback(str(path))
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Playback(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        Recorder(str(tmp_path))


def test_a_full_disk_ends_the_recording_and_not_the_run():
    """/dev/full takes nothing."""
    board = Board(POLICY)
    recorder = Recorder("/dev/full")
    engine = CardEngine(board.card, *memory_wires(board), name="board:test", patience=0.2, recorder=recorder)
    engine.configure(POLICY)
    assert not compare(golden_of(FRAMES), engine.process(FRAMES))
    engine.close()
    with pytest.raises(
        RecordingIncomplete, match="/dev/full: No space left on device: .* after 0 lines; .* on without"
    ):
        recorder.close()
    assert RecordingIncomplete("").exit_code == EXIT_ENVIRONMENT
