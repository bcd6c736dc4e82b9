"""A virtual board as a process of ours: started, spoken to, ended."""

from __future__ import annotations

import json
import subprocess
import sys

from halfsilver.harness.errors import CardUnreachable

__all__ = ["BoardProcess"]

_END_SECONDS = 60


class BoardProcess:
    """`halfsilver.sim.board.virtual` with these wires; it ends with us, however we end.

    ``serial`` is the device of its serial port, ``number`` its process. CardUnreachable if it does not start, which it
    has said why. The first one ever of a card compiles its model.
    """

    def __init__(self, net: str, host: str, *, card: str = "whole", seed: int = 0, serial: str | None = None) -> None:
        command = [sys.executable, "-m", "halfsilver.sim.board.virtual", "--net", net, "--host", host]
        command += ["--card", card, "--seed", str(seed), "--attended", "--counts"]
        if serial is not None:
            command += ["--serial", serial]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.number = self._process.pid
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise CardUnreachable(f"the virtual board did not start (status {self._process.returncode})")
        self.serial = str(json.loads(line)["serial"])

    def end(self) -> dict[str, dict[str, int]]:
        """End it, if it runs yet; returns what became of the frames of its ports, if it still could say so."""
        try:
            output, _ = self._process.communicate(timeout=_END_SECONDS)  # closes its input, which ends it
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, _ = self._process.communicate()
        counts: dict[str, dict[str, int]] = json.loads(output) if output else {}
        return counts
