"""All operations that the server knows: importing this module registers them."""

from __future__ import annotations

from harness.control.operations import OPERATIONS

__all__ = ["OPERATIONS"]
