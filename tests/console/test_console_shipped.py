"""Script of others is shipped unchanged: as its table says, with its licence."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from halfsilver.harness.console import console

SHIPPED = Path(console.__file__).parent / "static" / "shipped"


def test_what_is_shipped_is_what_the_table_says():
    table = (SHIPPED / "README.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|.*?\| ([0-9.]+) \|.*?`([\w.]+\.LICENSE)` \| `([0-9a-f]{64})` \|$", table, re.M)
    assert {name for name, *_ in rows} == {each.name for each in SHIPPED.iterdir() if each.suffix in (".js", ".css")}
    for name, version, licence, digest in rows:
        data = (SHIPPED / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest and (version.encode() in data or name.endswith(".css"))
        assert "PERMISSION" in (SHIPPED / licence).read_text().upper()


def test_each_is_served_and_one_short_file_of_ones_own_beside_them():
    (own,) = SHIPPED.parent.glob("*.js")
    assert own.name == "charts.js" and len(own.read_text().splitlines()) < 70
    assert {path.name for path in SHIPPED.glob("*.js")} <= set(console.FILES)
