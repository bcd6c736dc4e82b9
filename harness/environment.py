"""The environment variables of this project. One that is not here is a typo: it would be obeyed by nobody, silently."""

from __future__ import annotations

import os

from halfsilver.harness.errors import UsageError
from halfsilver.harness.spelling import nearest

__all__ = ["PREFIX", "VARIABLES", "refuse_unknown_variables"]

PREFIX = "HALFSILVER_"
VARIABLES = {
    "HALFSILVER_CAPTURES": "folder of captures for tests, `make sim-all` and `halfsilver list`",
    "HALFSILVER_ENGINE": "engine of the pytest plugin's fixtures, where --hil-engine names none",
    "HALFSILVER_RIG": "bench file of `--engine board:NAME`, instead of bench.toml in the current directory",
    "HALFSILVER_REQUIRE": "tools whose absence fails a test instead of skipping it (continuous integration)",
    "HALFSILVER_WAVES": "wave file of a simulation; set by `make cocotb WAVES=1`",
    "HALFSILVER_BUILD": "the build that a cocotb bench runs on; set by its runner",
    "HALFSILVER_MUTANT": "number of the mutant that is switched on in a model that has some; set by `make mutants`",
    "HALFSILVER_SPEED_JOB": "what the cocotb half of `make bench` is to do; set by it",
}


def refuse_unknown_variables() -> None:
    """UsageError if the environment has a variable of this project's that the project does not have."""
    for name in os.environ:
        if name.startswith(PREFIX) and name not in VARIABLES:
            meant = nearest(name.removeprefix(PREFIX), [known.removeprefix(PREFIX) for known in VARIABLES])
            right = f"did you mean {PREFIX}{meant}?" if meant else f"there are {', '.join(VARIABLES)}"
            raise UsageError(f"the environment variable {name} is not known; {right}")
