"""The page of a test that failed: one HTML file with everything that is needed to see why, and to see it again."""

from __future__ import annotations

import base64
import io
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from pathlib import Path

import pytest

from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.report.dissection import Row, dissect, meaning
from halfsilver.harness.suite.engines import EngineUnderTest
from halfsilver.harness.suite.nic import Nic, Sent
from halfsilver.harness.suite.provenance import provenance
from halfsilver.harness.suite.side_by_side import side_by_side

__all__ = ["page", "repeat_line", "write_page"]

ENGINE, SEED, WAVES = "--hil-engine", "--hil-seed", "HALFSILVER_WAVES"
USUAL_IMPORTS = "prepend"
_STYLE = """
body { font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em; color: #222; background: #fff }
table { border-collapse: collapse } td, th { padding: .15em .7em; text-align: left; vertical-align: top }
td.bytes { font: 13px/1.35 monospace; word-break: break-all; max-width: 26em } th { border-bottom: 1px solid #999 }
pre { background: #f4f4f4; padding: .7em; white-space: pre-wrap } .differs { background: #fbdcdc } .free { color: #888 }
summary { cursor: pointer; font-weight: bold; margin-top: 1em }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 } pre { background: #262626 } a { color: #8bf }
  .differs { background: #5a2626 }
}
"""


def write_page(item: pytest.Item, nic: Nic, trace: str) -> Path:
    """Write the page of a failed test into the folder of ``--hil-report``; where it is."""
    folder = Path(item.config.getoption("halfsilver_report"))
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", f"{item.nodeid.rpartition('/')[2]}-{nic.engine.name}").strip("-")
    path = folder / f"{name}.html"
    repeat = repeat_line(item, nic.engine)
    path.write_text(page(item.nodeid, nic, trace, repeat), encoding="utf-8")
    return path


def page(test: str, nic: Nic, trace: str, repeat: str) -> str:
    """The page's text. ``trace``: what pytest says of the failure; ``repeat``: what ``repeat_line`` says."""
    failed = nic.failed
    sent = failed.sent if failed is not None and failed.sent is not None else (nic.sent[-1] if nic.sent else None)
    message = failed.message if failed is not None else trace.strip().splitlines()[-1]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(test)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(test)}</h1><pre class=differs>{escape(message)}</pre>",
        f"<h2>Again</h2><pre>{escape(repeat)}</pre>{_waves(nic.engine, repeat)}",
    ]
    if sent is not None:
        parts.append(f"<h2>Frame {sent.number}, why</h2><pre>{escape(_walk(nic, sent))}</pre>")
        parts.append(f"<h2>Its record</h2><pre>{escape(str(sent.record))}</pre>")
        parts += _copies(nic, sent)
        parts.append("<details open><summary>The frame as it was sent</summary>")
        parts += [*_table(dissect(sent.frame.data), ("bytes",)), "</details>"]
    parts.append(_capture(nic.sent))
    parts.append(f"<details><summary>What pytest says</summary><pre>{escape(trace)}</pre></details>")
    facts = "".join(f"<tr><td>{escape(name)}<td>{escape(value)}</tr>" for name, value in _facts(nic).items())
    parts.append(f"<details open><summary>Who ran</summary><table>{facts}</table></details></html>")
    return "\n".join(parts) + "\n"


def repeat_line(item: pytest.Item, engine: EngineUnderTest) -> str:
    """What to type to run this test again, on the same engine with the same seed.

    An installed test, outside of pytest's root folder, is named as in the run that failed: else what that folder's
    conftest.py does would be missing.
    """
    config = item.config
    if item.path.is_relative_to(config.rootpath):
        folder, what = config.rootpath, [item.nodeid]
        mode = str(config.getoption("importmode"))
        what += [] if mode == USUAL_IMPORTS else [f"--import-mode={mode}"]
    else:
        folder = config.invocation_params.dir
        what = [*config.invocation_params.args, "-k", " and ".join(re.findall(r"[^\[\]]+", item.name))]
    command = [sys.executable, "-m", "pytest", *what, ENGINE, engine.name, SEED, str(engine.seed)]
    return f"cd {shlex.quote(str(folder))} && {shlex.join(command)}"


def _waves(engine: EngineUnderTest, repeat: str) -> str:
    if not engine.entry.simulated:
        return ""
    variable = os.environ.get(WAVES)
    if variable:
        path = Path(variable).resolve()
        link = f'<a href="{escape(path.as_uri())}">{escape(str(path))}</a>'
        return f"<p>Waves of the whole run, complete when it has ended: {link}</p>"
    line = repeat.replace(" && ", f" && {WAVES}=wave.vcd ", 1)
    return f"<p>With a wave file of this test alone:</p><pre>{escape(line)}</pre>"


def _walk(nic: Nic, sent: Sent) -> str:
    """How the law judges it; a policy that the model cannot take must not lose the page."""
    try:
        return nic.explain(sent)
    except HalfsilverError as error:
        return f"cannot be explained: {error}"


def _copies(nic: Nic, sent: Sent) -> Iterator[str]:
    expected = nic.failed.expected if nic.failed is not None and nic.failed.sent is sent else None
    yield f"<h2>Its copy</h2><p>{len(sent.copies)} came.</p>"
    for copy in sent.copies:
        if expected is None:
            yield from _table(dissect(copy), ("came",))
        else:
            yield from _table(side_by_side(expected, copy), ("expected", "came"))
    if expected is not None and not sent.copies:
        yield "<p>This one was expected:</p>"
        yield from _table(dissect(expected.expected), ("expected",))


def _table(rows: Iterable[Row], columns: tuple[str, ...]) -> Iterator[str]:
    """One row for each field, under the name of its header; both frames, or one."""
    both = len(columns) == 2
    heads = "".join(f"<th>{each}<th>" for each in columns)
    yield f"<table><tr><th>byte<th>field{heads}</tr>"
    for header, fields in groupby(rows, lambda row: row.header):
        yield f"<tr><th colspan={2 + 2 * len(columns)}>{escape(header)}</tr>"
        for row in fields:
            data = [row.expected or b"", row.actual or b""] if both else [row.actual or b""]
            cells = "".join(f"<td class=bytes>{each.hex(' ')}<td>{escape(meaning(row, each))}" for each in data)
            kind = " class=differs" if row.differs else " class=free" if both and not row.compared else ""
            yield f"<tr{kind}><td>{row.start}<td>{escape(row.field)}{cells}</tr>"
    yield "</table>"


def _capture(sent: list[Sent]) -> str:
    """All frames and copies, each named in its comment; frame n and its copies have the time n us."""
    stream = io.BytesIO()
    writer = PcapngWriter(stream)
    for one in sent:
        writer.write(one.frame.data, one.number * 1000, f"frame {one.number}, sent, {one.record.direction}")
        for copy in one.copies:
            writer.write(copy, one.number * 1000, f"copy of frame {one.number}, {one.record.verdict}")
    data = base64.b64encode(stream.getvalue()).decode()
    count = len(sent) + sum(len(one.copies) for one in sent)
    link = f'<a download="frames.pcapng" href="data:application/x-pcapng;base64,{data}">frames.pcapng</a>'
    return f"<h2>Capture</h2><p>{link}: what was sent, each frame followed by its copy, {count} packets.</p>"


def _facts(nic: Nic) -> dict[str, str]:
    identity = nic.engine.identify()
    return provenance(nic.engine.seed, {} if identity is None else {nic.engine.name: identity})
