"""What became of each fault planted by hand; kept, so that a run that was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["CAUGHT", "SURVIVED", "UNKNOWN", "Kept", "Outcome"]

CAUGHT, SURVIVED, UNKNOWN = "caught", "survived", "no result"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``result`` is CAUGHT, SURVIVED or UNKNOWN; ``by`` says what caught it, or why there is no result."""

    result: str
    by: str
    seconds: float


class Kept:
    """Outcomes by the name of the fault, in a file. They hold for the files below ``tree`` as they are, and the seed:
    what is there of others is forgotten. UNKNOWN is not kept."""

    def __init__(self, path: Path, tree: Path, seed: int) -> None:
        self._path = path
        self._of = f"{_digest(tree)} {seed}"
        self.outcomes: dict[str, Outcome] = {}
        if path.exists():
            before = json.loads(path.read_text())
            if before["of"] == self._of:
                self.outcomes = {name: Outcome(**each) for name, each in before["outcomes"].items()}

    def add(self, name: str, outcome: Outcome) -> None:
        if outcome.result == UNKNOWN:
            return
        self.outcomes[name] = outcome
        fresh = self._path.with_suffix(".new")
        outcomes = {each: asdict(found) for each, found in self.outcomes.items()}
        fresh.write_text(json.dumps({"of": self._of, "outcomes": outcomes}, indent=1) + "\n")
        fresh.replace(self._path)


def _digest(tree: Path) -> str:
    state = hashlib.sha256()
    for path in sorted(path for path in tree.rglob("*") if path.is_file() and path.parent.name != "__pycache__"):
        state.update(f"{path.relative_to(tree)}\0".encode() + path.read_bytes() + b"\0")
    return state.hexdigest()
