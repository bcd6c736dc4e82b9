"""``--scheduler``: workers of a Dask cluster judge, and nobody can tell from what comes out."""

import pytest

from halfsilver.harness.commands import judging
from tests.harness.commands.cli_kit import FRAMES, files, mirror_it, run, write_capture

distributed = pytest.importorskip("distributed", reason="Dask is not installed (pip install '.[farm]')")

pytestmark = pytest.mark.slow


def test_what_comes_out_of_a_cluster_is_the_same(paths, capsys, monkeypatch):
    monkeypatch.setattr(judging, "BATCH_FRAMES", 20)
    capture = write_capture(paths[2], FRAMES * 15, name="long.pcap")
    place = paths[2] / "out"
    place.mkdir()
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        told = []
        for options in ((), ("--scheduler", cluster.scheduler_address)):
            outputs = "-w", str(place / "out.pcapng"), "--verdicts", str(place / "out.jsonl")
            assert run("mirror", "-r", capture, "-c", paths[1], "--both-sides", *outputs, *options) == 0
            told.append((capsys.readouterr().out, [path.read_bytes() for path in sorted(place.iterdir())]))
    assert told[0] == told[1] and len(told[0][1]) == 2


def test_a_scheduler_that_is_not_there_is_one_line(paths, capsys, monkeypatch):
    monkeypatch.setattr("halfsilver.harness.engines.cluster.CONNECT_SECONDS", 1)
    before = files(paths[2])
    assert mirror_it(paths, "--scheduler", "tcp://127.0.0.1:9", "-w", str(paths[2] / "out.pcapng")) == 3
    assert capsys.readouterr().err.startswith("error: no Dask scheduler at tcp://127.0.0.1:9: ")
    assert files(paths[2]) == before


@pytest.mark.parametrize(
    "options", [("--engine", "virtual"), ("--jobs", "2"), ("--engine", "verilator", "--full-rate")]
)
def test_what_cannot_be_is_refused(paths, capsys, options):
    assert mirror_it(paths, "--scheduler", "local", *options) == 2
    assert "--scheduler" in capsys.readouterr().err
