"""What is called a leak, and what is not, on samples that are made up; and that what is sampled is what there is."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.control.soak.flat import FIGURES, SAMPLES_OF_LIFE, Growth, Sample, Watch, growth

MEGABYTE = 1_000_000
PER_SAMPLE = 40
"""Requests."""


def lives(seed: int, name: str, leak: float, number: int = 3) -> Iterator[list[Sample]]:
    """Lives as those of a server on a busy machine: memory that settles, steps, bursts that come and go."""
    chance = random.Random(seed)
    for _ in range(number):
        kept, samples, requests = 140 * MEGABYTE, [], 0
        steps = {chance.randrange(SAMPLES_OF_LIFE): chance.randrange(4 * MEGABYTE) for _ in range(3)}
        for place in range(SAMPLES_OF_LIFE):
            requests += chance.randrange(2 * PER_SAMPLE)
            kept += steps.get(place, 0) + (MEGABYTE if place < SAMPLES_OF_LIFE // 4 else 0)
            burst = chance.choice((0, 0, 0, 0, 6 * MEGABYTE))
            figures = {
                "memory": kept + burst,
                "descriptors": 60 + chance.randrange(-3, 4),
                "threads": 6 + (place > 100) * chance.randrange(4),
                "log": 4_185_952,
                "files": 12 + chance.randrange(2),
            }
            figures[name] = int(figures[name] + leak * requests)
            samples.append(Sample(requests, figures))
        yield samples


@pytest.mark.parametrize("seed", range(10))
def test_what_comes_and_goes_is_no_leak(seed: int) -> None:
    found = {name: growth(list(lives(seed, name, 0)), name) for name in FIGURES}
    assert not any(each.is_leak for each in found.values()), found


@pytest.mark.parametrize(
    ("name", "leak"), [("memory", 5_000), ("descriptors", 0.01), ("threads", 0.005), ("log", 1_000), ("files", 0.01)]
)
@pytest.mark.parametrize("seed", range(3))
def test_a_leak_is_found_among_it(seed: int, name: str, leak: float) -> None:
    found = growth(list(lives(seed, name, leak)), name)
    assert found.is_leak and found.each == pytest.approx(leak, rel=0.3), found


def test_a_life_that_answered_hardly_anything_weighs_as_little() -> None:
    """A server that gets no processor says nothing about what a request leaves behind."""
    starved = [
        Sample(place // 40, {**dict.fromkeys(FIGURES, 1), "descriptors": 60 + place // 40}) for place in range(240)
    ]
    assert growth([starved], "descriptors").each == pytest.approx(1)
    assert not growth([*lives(1, "descriptors", 0), starved, starved, starved, starved], "descriptors").is_leak


def test_a_life_without_samples_says_nothing() -> None:
    assert growth([[]], "memory") == Growth(FIGURES["memory"], 0.0, 0)
    once = Sample(100, dict.fromkeys(FIGURES, 1))
    assert not growth([[once], [once, once]], "memory").is_leak


def test_what_is_sampled_is_what_there_is(tmp_path: Path) -> None:
    """Of this process, before and after it takes more of each."""
    answered = [7]
    with ExitStack() as stack:
        before = _sample(tmp_path, answered)
        for number in range(9):
            stack.enter_context((tmp_path / f"file{number}").open("wb"))
        (tmp_path / "state.sqlite-wal").write_bytes(bytes(12_345))
        kept = os.urandom(50 * MEGABYTE)
        stop = threading.Event()
        stack.callback(stop.set)
        threads = [threading.Thread(target=stop.wait) for _ in range(5)]
        for thread in threads:
            thread.start()
        after = _sample(tmp_path, answered)
        more = {name: after.figures[name] - before.figures[name] for name in FIGURES}
        assert more["memory"] >= 0.9 * len(kept)
        assert {name: more[name] for name in FIGURES if name != "memory"} == {
            "descriptors": 9,
            "threads": 5,
            "log": 12_345,
            "files": 10,
        }
    assert (before.requests, after.requests) == (3, 3), "of this life alone"


def _sample(folder: Path, answered: list[int]) -> Sample:
    watch = Watch(os.getpid(), [folder], lambda: answered[0], every=0.01)
    answered[0] += 3
    seen = len(watch.samples)
    while len(watch.samples) < seen + 2:
        threading.Event().wait(0.01)
    return watch.close()[-1]
