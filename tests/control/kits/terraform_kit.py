"""Terraform with the real AWS provider, in workspaces of their own. Nothing is downloaded."""

from __future__ import annotations

import glob
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

CONFIGURATIONS = Path(__file__).parents[1] / "clients" / "terraform"
NO_CHANGE, CHANGES = 0, 2
"""Exit codes of ``plan -detailed-exitcode``; 1 is an error."""
_REGISTRY = "registry.terraform.io/hashicorp/aws"
_FOLDERS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/opt/*",
)
"""Where a mirror of the registry may be, as ``terraform providers mirror`` makes it: Terraform's own places, and one
below /opt. ``TF_PLUGIN_CACHE_DIR`` goes before them."""


def find_provider() -> tuple[Path, str]:
    """The folder with the AWS provider, and its version. Skips the test, with the reason, where there is none."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    pattern = f"{_REGISTRY}/*/linux_{machine}/terraform-provider-aws_v*"
    for folder in (os.environ.get("TF_PLUGIN_CACHE_DIR", _FOLDERS[0]), *_FOLDERS):
        for plugin in sorted(glob.glob(f"{os.path.expanduser(folder)}/{pattern}")):
            return Path(plugin).parents[5], Path(plugin).parents[1].name
    pytest.skip(f"no unpacked AWS provider for Terraform in TF_PLUGIN_CACHE_DIR, {', '.join(_FOLDERS)}")


def initialise(folder: Path) -> None:
    """``terraform init`` in a folder."""
    plugins, version = find_provider()
    (folder / "terraform.rc").write_text(
        f'provider_installation {{\n  filesystem_mirror {{ path = "{plugins}" }}\n}}\n'
    )
    (folder / "versions.tf").write_text(
        f'terraform {{\n  required_providers {{\n    aws = {{ source = "hashicorp/aws", version = "{version}" }}\n'
        "  }\n}\n"
    )
    made = Workspace(folder, os.environ).run("init")
    assert made.returncode == 0, made.stderr


def environment_of(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What Terraform runs with in a folder: nothing that its user has set for it elsewhere.

    A cache that is the mirror itself is one such thing: ``init`` would install the provider onto itself, and fails.
    """
    return {
        **{name: value for name, value in environment.items() if not name.startswith("TF_")},
        "TF_CLI_CONFIG_FILE": str(folder / "terraform.rc"),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_ARGS": "-no-color",
    }


class Workspace:
    """A folder that has been initialised; ``environment`` says where AWS is."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = environment_of(folder, environment)

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", command, "-input=false", *arguments],
            cwd=self.folder,
            text=True,
            env=self._environment,
            capture_output=True,
            timeout=180,
        )

    def apply(self, configuration: str, **variables: str) -> str:
        """Make it as ``terraform/<configuration>.tf`` says; the line that tells what was done."""
        self._choose(configuration, variables)
        done = self.run("apply", "-auto-approve")
        assert done.returncode == 0, done.stdout + done.stderr
        return _last_line(done.stdout)

    def fail_to_apply(self, configuration: str, **variables: str) -> str:
        """The error that the user sees."""
        self._choose(configuration, variables)
        done = self.run("apply", "-auto-approve")
        assert done.returncode == 1, done.stdout
        return " ".join(re.sub("[│╷╵]", " ", done.stderr).split())

    def plan(self) -> int:
        done = self.run("plan", "-detailed-exitcode")
        assert done.returncode in (NO_CHANGE, CHANGES), done.stderr
        return done.returncode

    def destroy(self) -> str:
        done = self.run("destroy", "-auto-approve")
        assert done.returncode == 0, done.stdout + done.stderr
        return _last_line(done.stdout)

    def _choose(self, configuration: str, variables: dict[str, str]) -> None:
        shutil.copyfile(CONFIGURATIONS / f"{configuration}.tf", self.folder / "main.tf")
        (self.folder / "terraform.tfvars.json").write_text(json.dumps(variables))


def _last_line(text: str) -> str:
    return next(line for line in reversed(text.splitlines()) if "complete!" in line)
