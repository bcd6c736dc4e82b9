"""Answers kept on disk, one JSON line each: an interrupted run goes on where it was, and runs can be merged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from halfsilver.sim.jobs.job import DONE, Answer

__all__ = ["Answers"]


class Answers:
    """The answers by key. Where two runs answered one job, one that is done counts; else the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers: dict[str, Answer] = {}
        self.merge(path)

    def merge(self, path: Path) -> None:
        """Take in what another file has; it is written here with the next ``add`` only if it is this file."""
        for answer in _read(path):
            self._keep(answer)

    def add(self, answer: Answer) -> None:
        """Keep it, on disk too."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(answer.to_json() + "\n")
        self._keep(answer)

    def of(self, key: str) -> Answer | None:
        return self._answers.get(key)

    def all(self) -> list[Answer]:
        """Of every job."""
        return [*self._answers.values()]

    def is_done(self, key: str) -> bool:
        """A job that failed, was late or lost is run again."""
        answer = self._answers.get(key)
        return answer is not None and answer.result == DONE

    def _keep(self, answer: Answer) -> None:
        if not self.is_done(answer.key) or answer.result == DONE:
            self._answers[answer.key] = answer


def _read(path: Path) -> Iterator[Answer]:
    """All whole lines: the last one of a run that was killed may be half."""
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            yield Answer(**json.loads(line))
        except (ValueError, TypeError):
            continue
