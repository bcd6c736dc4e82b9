"""The packet suite on the gateware under Verilator."""

import pytest

from halfsilver.harness.engines.registry import VERILATOR
from halfsilver.harness.suite.conformance import test_case, test_production

__all__ = ["test_case", "test_production"]


@pytest.fixture
def halfsilver_engine_name():
    return VERILATOR
