"""What all tests of the commands start from."""

import pytest

from tests.harness.commands.cli_kit import write_capture, write_policy


@pytest.fixture
def paths(tmp_path):
    return write_capture(tmp_path), write_policy(tmp_path), tmp_path
