"""The AWS CLI for many commands in one process: its own driver, which is all that the program ``aws`` runs.

Each line of stdin is the JSON list of a shell's environment, as far as it is AWS's, and a command's arguments; it is
answered with a line of exit code, stdout, stderr and the operations that were answered with success.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import Any

import awscli
import botocore
from awscli.clidriver import CLIDriver, create_clidriver

assert os.path.dirname(awscli.__file__) == os.path.dirname(os.path.dirname(botocore.__file__)), "not the CLI's botocore"

WITHOUT = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
OF_THE_CLI = {name: value for name, value in os.environ.items() if name == "AWS_DATA_PATH"}
"""Set by the import of awscli."""


class Shell:
    """What one environment has: the configuration and credentials are read once, as in one run of ``aws``."""

    def __init__(self) -> None:
        self.driver: CLIDriver = create_clidriver()
        self.answered: list[tuple[str, str]] = []
        self.driver.session.register("after-call", self._note)

    def _note(self, http_response: Any, model: Any, **_: Any) -> None:
        if http_response.status_code == 200:
            self.answered.append((model.service_model.service_name, model.name))

    def run(self, arguments: list[str]) -> tuple[int, str, str, list[tuple[str, str]]]:
        out, err = io.StringIO(), io.StringIO()
        self.answered.clear()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = self.driver.main(arguments)
            except SystemExit as end:
                code = int(end.code or 0)
        return code, out.getvalue(), err.getvalue(), self.answered


def main() -> None:
    shells: dict[str, Shell] = {}
    for line in sys.stdin:
        environment, arguments = json.loads(line)
        os.environ.clear()
        os.environ.update({**WITHOUT, **OF_THE_CLI, **environment})
        name = json.dumps(environment, sort_keys=True)
        if name not in shells:
            shells[name] = Shell()
        print(json.dumps(shells[name].run(arguments)), flush=True)


if __name__ == "__main__":
    main()
