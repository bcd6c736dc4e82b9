"""The folders of tests/cases are those that are described, byte by byte, and each says what it shows."""

from __future__ import annotations

import pytest

from halfsilver.harness.suite.cases import case_folders, read_case
from tests.suite.write_cases import CASES, all_described, files_of

DESCRIBED = {case.name: case for case in all_described()}


def test_no_folder_is_left_over():
    assert [folder.name for folder in case_folders()] == sorted(DESCRIBED)
    assert len(DESCRIBED) == len(all_described())


@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_a_folder_is_up_to_date(name):
    """`python -m tests.suite.write_cases` writes them all anew."""
    due = files_of(DESCRIBED[name])
    found = {path.name: path.read_bytes() for path in (CASES / name).iterdir()}
    assert found.keys() == due.keys()
    assert {file for file in due if found[file] != due[file]} == set()


def test_cases_are_small():
    sizes = {folder.name: sum(path.stat().st_size for path in folder.iterdir()) for folder in case_folders()}
    assert {name: size for name, size in sizes.items() if size > 48_000} == {}


def test_a_case_needs_what_its_frames_are():
    for folder in case_folders():
        case = read_case(folder)
        assert [str(need) for need in case.needs] == DESCRIBED[case.name].needs
