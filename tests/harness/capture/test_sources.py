"""Several captures as one: merged by time, folders, streams."""

import gzip
import os
import threading

import pytest

from halfsilver.harness.capture.sources import open_captures
from halfsilver.harness.errors import UsageError
from tests.harness.capture.test_capture import interface, packet, pcap, record, section


def write(folder, name, times, tag=None):
    """A pcap with one frame at each of these seconds; the frame says whose it is."""
    data = pcap(records=b"".join(record(f"{tag or name} {time}".encode(), time) for time in times))
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(path)


def texts(paths):
    with open_captures(paths) as captures:
        return [frame.data.decode() for frame in captures]


def test_frames_are_merged_by_time_and_keep_the_order_of_their_file(tmp_path):
    one = write(tmp_path, "one", [1, 5, 4, 9])
    two = write(tmp_path, "two.gz", [2, 5], tag="two")
    assert texts([one, two]) == ["one 1", "two 2", "one 5", "one 4", "two 5", "one 9"]
    assert texts([two, one]) == ["one 1", "two 2", "two 5", "one 5", "one 4", "one 9"]


def test_a_folder_is_its_captures_and_says_what_it_left_out(tmp_path):
    write(tmp_path, "b.pcap", [1, 3])
    write(tmp_path, "a.cap", [2])
    (tmp_path / "c.pcapng").write_bytes(section() + interface() + packet(b"ng", 2_500_000))
    (tmp_path / "empty.pcap").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not a capture")
    (tmp_path / ".half.part").write_bytes(b"hidden")
    (tmp_path / "below").mkdir()
    with open_captures([str(tmp_path)]) as captures:
        assert [frame.data for frame in captures] == [b"b.pcap 1", b"a.cap 2", b"ng", b"b.pcap 3"]
        assert captures.left_out == [str(tmp_path / "notes.txt")]
        assert captures.consumed == captures.size and len(captures.readers) == 4


def test_a_folder_without_captures_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not a capture")
    with pytest.raises(UsageError, match="holds no capture"), open_captures([str(tmp_path)]):
        pass
    with pytest.raises(UsageError, match="name it once"), open_captures(["-", "-"]):
        pass


def test_what_is_wrong_with_one_is_said_before_anything_runs(tmp_path):
    good = write(tmp_path, "good", [1])
    (tmp_path / "bad").write_text("not a capture")
    with pytest.raises(UsageError, match="bad: not a pcap"), open_captures([good, str(tmp_path / "bad")]):
        pass
    with pytest.raises(FileNotFoundError), open_captures([good, str(tmp_path / "absent")]):
        pass


def test_damage_is_that_of_its_file(tmp_path):
    one, two = write(tmp_path, "one", [1, 3]), write(tmp_path, "two", [2, 4])
    os.truncate(two, os.path.getsize(two) - 1)
    with open_captures([one, two]) as captures:
        assert [frame.data for frame in captures] == [b"one 1", b"two 2", b"one 3"]
        assert [len(reader.damage) for reader in captures.readers] == [0, 1] and len(captures.damage) == 1


def test_only_files_whose_time_it_is_are_open(tmp_path):
    """Files of 300 moments, one behind the other, with fewer descriptors than files."""
    paths = [write(tmp_path, f"{number:03}", [number]) for number in range(300)]
    before = len(os.listdir("/proc/self/fd"))
    most = 0
    with open_captures(paths[::-1]) as captures:
        for number, frame in enumerate(captures):
            assert frame.data == f"{number:03} {number}".encode()
            most = max(most, len(os.listdir("/proc/self/fd")) - before)
    assert number == 299 and most <= 3


def test_a_pipe_among_files_gives_what_has_come(tmp_path):
    """What is before the pipe's next frame comes out while that is awaited."""
    path = write(tmp_path, "file", [1, 3, 5])
    os.mkfifo(tmp_path / "pipe")
    data = pcap(records=record(b"pipe 2", 2) + record(b"pipe 4", 4))
    halfway = threading.Event()

    def feed():
        with open(tmp_path / "pipe", "wb", buffering=0) as stream:
            stream.write(data[: 24 + 16 + 6])
            assert halfway.wait(30)
            stream.write(data[24 + 16 + 6 :])

    feeder = threading.Thread(target=feed)
    feeder.start()
    came = []
    with open_captures([path, str(tmp_path / "pipe")]) as captures:
        for frame in captures.flow():
            if frame is not None:
                came.append(frame.data.decode())
            elif came == ["file 1", "pipe 2"]:
                halfway.set()
        assert captures.size is None
    feeder.join()
    assert halfway.is_set() and came == ["file 1", "pipe 2", "file 3", "pipe 4", "file 5"]


def test_a_file_that_is_named_twice_is_refused(tmp_path):
    path = write(tmp_path, "file", [1])
    other = write(tmp_path, "other", [1])  # the same frames, but another file
    os.symlink(path, tmp_path.parent / f"{tmp_path.name}-link")
    link = str(tmp_path.parent / f"{tmp_path.name}-link")
    for names in ([path, path], [str(tmp_path), path], [path, link], [other, path, f"{tmp_path}/./file"]):
        with pytest.raises(UsageError, match="one file, whose frames would count twice"), open_captures(names):
            pass
    with open_captures([path, other]) as captures:
        assert len(list(captures)) == 2
