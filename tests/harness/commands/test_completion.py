"""Completion of the shells, and manual pages: from the parser that has --help."""

from __future__ import annotations

import argparse
import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from halfsilver.harness.cli import build_parser
from tests.harness.commands.cli_kit import output_of, run

ROOT = Path(__file__).resolve().parents[3]

COMPLETE = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE}
function_of=$(complete -p halfsilver | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function_of" halfsilver "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when one presses TAB behind the words of a line."""


@pytest.fixture(scope="module")
def bash_completion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "halfsilver.bash"
    command = ["halfsilver.harness.cli", "completion", "bash"]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, timeout=60, check=True)
    path.write_bytes(done.stdout)
    return path


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("mirr", {"mirror"}),
        ("mirror --eng", {"--engine"}),
        ("mirror --engine ver", {"verilator"}),
        ("init --like ht", {"http-and-tcp"}),
        ("completion f", {"fish"}),
        ("bench in", {"init"}),
        ("mirror -c here.j", {"here.json"}),
        ("check here", {"here.json"}),
    ],
)
def test_bash_completes(tmp_path: Path, bash_completion: Path, line: str, found: set[str]) -> None:
    (tmp_path / "here.json").touch()
    words = ["bash", "--norc", "-c", COMPLETE, "bash", str(bash_completion), "halfsilver", *line.split()]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert found <= set(done.stdout.split()) and not done.stderr, done.stderr
    last = line.split()[-1]
    assert all(word.startswith(last) for word in done.stdout.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_read_their_completion(tmp_path: Path, capsys: pytest.CaptureFixture[str], shell: str) -> None:
    text = output_of(capsys, "completion", shell)
    assert all(word in text for word in ("mirror", "what-if", "http-and-tcp"))
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here to read what was printed for it")
    path = tmp_path / "completion"
    path.write_text(text)
    subprocess.run([shell, "-n", str(path)], timeout=60, check=True)


def test_another_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("completion", "tcsh") == 2
    assert "there are bash, zsh, fish" in capsys.readouterr().err


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("man_pages").man_pages()


def test_every_command_and_option_has_its_manual(pages: dict[str, str]) -> None:
    known = {f"{parser.prog.replace(' ', '-')}.1": parser for parser in parsers(build_parser())}
    assert pages.keys() == known.keys()
    for name, parser in known.items():
        options = {option for action in parser._actions for option in action.option_strings} - {"-h", "--help"}
        shown = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", pages[name].replace("\\", "")))
        assert options <= shown, name
        requests = {line.split()[0] for line in pages[name].splitlines() if line.startswith((".", "'"))}
        assert requests <= {".TH", ".SH", ".TP", ".B", ".BR", ".PP", ".nh", ".hy"} and "\n\n" not in pages[name]


def test_groff_finds_nothing_wrong(pages: dict[str, str]) -> None:
    if shutil.which("groff") is None:
        pytest.skip("no groff here")
    for name, page in pages.items():
        command = ["groff", "-man", "-Tutf8", "-ww", "-Wbreak"]
        done = subprocess.run(command, input=page, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and not done.stderr, f"{name}: {done.stderr}"
        assert "SYNOPSIS" in re.sub(r".\x08", "", done.stdout)
