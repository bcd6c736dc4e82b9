"""The soak of `make soak`, for some seconds; and with a fault planted, which it must find."""

import pytest

from tests.control.soak.soak import main

pytestmark = pytest.mark.long


def test_seconds_of_bad_days(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["--seconds", "12", "--seed", "1"]) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert "SQLite" in said and "nothing that was answered is missing" in said


def test_a_leak_is_found(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["--seconds", "24", "--seed", "1", "--database", "SQLite", "--leak", "200000"]) == 1
    (wrong,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG")]
    assert wrong.startswith("WRONG: SQLite: memory +")
