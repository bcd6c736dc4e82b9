"""Pictures of the page of a run, for README, and of the console, light and dark: `make screenshots`. Needs Chromium
(apt install chromium).

The run is the example's on the golden model, and the console shows the example's policy, so they are the same each
time; fonts are those of the machine.
"""

from __future__ import annotations

import base64
import configparser
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from halfsilver.harness.cli import main as halfsilver
from halfsilver.sim.example import EXAMPLE, make_example

__all__ = ["main"]

INVENTORY = Path(__file__).resolve().parent.parent / "examples" / "inventory.json"
IMAGES = Path(__file__).with_name("images")
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
FILTER = "tmf-0a1b2c3d4e5f60001"
"""Of the example's policy, the one whose page is shown."""
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
        sizes = [_of_run(browser, Path(folder, "index.html").as_uri(), scheme) for scheme in SCHEMES]
        with _server(Path(folder)) as (address, key):
            sizes += [_of_console(browser, address, key, scheme) for scheme in SCHEMES]
        browser.close()
    return int(max(sizes) > MOST_BYTES)


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """A server with the filters of the example's policy: where its console is, and an access key."""
    policy = folder / "mirror.json"
    filters = json.loads((EXAMPLE / "mirror.json").read_text(encoding="utf-8"))["TrafficMirrorFilters"]
    policy.write_text(json.dumps({"TrafficMirrorFilters": filters}), encoding="utf-8")
    command = [sys.executable, "-m", "halfsilver.harness.cli", "serve", "--state", str(policy), "--port", "0", "--json"]
    inventory = ["--inventory", str(INVENTORY)]
    with subprocess.Popen([*command, *inventory], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stderr is not None
        line = server.stdout.readline()
        if not line:
            raise SystemExit(server.stderr.read())
        ready = json.loads(line)
        profiles = configparser.ConfigParser()
        profiles.read(ready["credentials"])
        key = profiles["default"]
        try:
            yield f"{ready['url']}/console", (key["aws_access_key_id"], key["aws_secret_access_key"])
        finally:
            server.terminate()


def _of_run(browser: Browser, address: str, scheme: Scheme) -> int:
    page = browser.new_page(viewport=SIZE, color_scheme=scheme)
    page.goto(address)
    return _picture(page, f"report-{scheme}.webp")


def _of_console(browser: Browser, address: str, key: tuple[str, str], scheme: Scheme) -> int:
    page = browser.new_page(viewport=SIZE, color_scheme=scheme)
    page.goto(address)
    page.get_by_label("Access key ID").fill(key[0])
    page.get_by_label("Secret access key").fill(key[1])
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{address}/filters/{FILTER}")
    return _picture(page, f"console-{scheme}.webp")


def _picture(page: Page, name: str) -> int:
    """Take one picture; its size in bytes."""
    png = base64.b64encode(page.screenshot()).decode()
    page.goto("about:blank")  # where the page's own policy forbids nothing
    data = base64.b64decode(page.evaluate(AS_WEBP, [png, QUALITY]))
    page.close()
    path = IMAGES / name
    path.write_bytes(data)
    print(f"{path}: {len(data):,} bytes", file=sys.stderr)
    return len(data)


if __name__ == "__main__":
    sys.exit(main())
