"""What the tests of pages in a browser share: Chromium, that of the distribution, and how large its windows are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
WAIT = 60_000
"""Milliseconds for anything that a busy machine makes slow."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that ends with the block; the test is skipped where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is missing (apt install chromium)")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # which root has none of
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=options, timeout=WAIT)
        yield launched
        launched.close()
