"""Pictures of the page of a run, light and dark, for README: `make screenshots`. Needs Chromium (apt install chromium).

The run is the example's on the golden model, so the page is the same each time; fonts are those of the machine.
"""

from __future__ import annotations

import base64
import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from halfsilver.harness.cli import main as halfsilver
from halfsilver.sim.example import EXAMPLE, make_example

__all__ = ["main"]

IMAGES = Path(__file__).with_name("images")
SIZE = {"width": 1200, "height": 1080}
QUALITY = 0.9
MOST_BYTES = 150_000
AS_WEBP = """async ([png, quality]) => {
    const image = new Image();
    image.src = "data:image/png;base64," + png;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", quality).split(",")[1];
}"""
"""Chromium is there, and writes WebP: a quarter of the PNG."""


def main() -> int:
    """Exit code 3 without Chromium, 1 if a picture is too large."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("error: pictures are taken with chromium, which is not here (apt install chromium)", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        capture, policy = str(make_example()), str(EXAMPLE / "mirror.json")
        if code := halfsilver(["mirror", "-r", capture, "-c", policy, "--report", folder]):
            return code
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        sizes = [_picture(browser, Path(folder, "index.html").as_uri(), scheme) for scheme in ("light", "dark")]
        browser.close()
    return int(max(sizes) > MOST_BYTES)


def _picture(browser: Browser, address: str, scheme: str) -> int:
    """Take one picture; its size in bytes."""
    page = browser.new_page(viewport=SIZE, color_scheme="dark" if scheme == "dark" else "light")
    page.goto(address)
    png = base64.b64encode(page.screenshot()).decode()
    page.goto("about:blank")  # where the page's own policy forbids nothing
    data = base64.b64decode(page.evaluate(AS_WEBP, [png, QUALITY]))
    page.close()
    path = IMAGES / f"report-{scheme}.webp"
    path.write_bytes(data)
    print(f"{path}: {len(data):,} bytes", file=sys.stderr)
    return len(data)


if __name__ == "__main__":
    sys.exit(main())
