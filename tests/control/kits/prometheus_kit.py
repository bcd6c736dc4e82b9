"""A real Prometheus, where it is installed."""

from __future__ import annotations

import shutil

import pytest

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="prometheus and promtool are not installed (apt install prometheus)"
)
