"""What became of each mutant so far, kept on disk, so that an interrupted run goes on where it was.

One file per list of mutants (its hash names it). A mutant that was caught or proven equivalent is not tried again; one
that survived is, when what judges it has changed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["CAUGHT", "EQUIVALENT", "SURVIVED", "UNPROVEN", "Record", "Records"]

CAUGHT, SURVIVED = "caught", "survived"
EQUIVALENT, UNPROVEN = "equivalent", "unproven"


@dataclass(frozen=True, slots=True)
class Record:
    """A stage tried a mutant: ``by`` says what caught it, ``judge`` names the version of the tests."""

    key: str
    stage: str
    result: str
    by: str
    judge: str


class Records:
    """The last record of each mutant and stage."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: dict[tuple[str, str], Record] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self._keep(Record(**json.loads(line)))

    def add(self, record: Record) -> None:
        """Keep it, on disk too."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        self._keep(record)

    def merge(self, records: Iterable[Record]) -> None:
        """Take in those of another run; one that settled its mutant stays, whatever the other says of that stage."""
        for record in records:
            known = self.of(record.key, record.stage)
            if known != record and (known is None or known.result not in (CAUGHT, EQUIVALENT)):
                self.add(record)

    def about(self, keys: Collection[str]) -> list[Record]:
        """All that is known of these mutants."""
        return [record for (key, _), record in self._records.items() if key in keys]

    def of(self, key: str, stage: str) -> Record | None:
        """The last of this stage."""
        return self._records.get((key, stage))

    def catch(self, key: str) -> Record | None:
        """The record of the stage that caught the mutant."""
        return self._first(key, CAUGHT)

    def proof(self, key: str) -> Record | None:
        """The record that says it is equivalent."""
        return self._first(key, EQUIVALENT)

    def is_open(self, key: str, stage: str, judge: str) -> bool:
        """Whether the stage should try it: neither caught nor proven, and not tried by these tests."""
        last = self.of(key, stage)
        return not self.catch(key) and not self.proof(key) and (last is None or last.judge != judge)

    def stages(self, key: str) -> list[str]:
        """That have tried it."""
        return sorted(stage for known, stage in self._records if known == key)

    def _first(self, key: str, result: str) -> Record | None:
        found = [record for (known, _), record in self._records.items() if known == key and record.result == result]
        return found[0] if found else None

    def _keep(self, record: Record) -> None:
        self._records[record.key, record.stage] = record
