"""The packet suite on the engine of `--hil-engine`: the golden model, unless another is asked for."""

from halfsilver.harness.suite.conformance import test_case, test_production

__all__ = ["test_case", "test_production"]
