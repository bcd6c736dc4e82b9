"""The figure of `make load`, `load.svg`, drawn from load.json: production, copies sent and copies skipped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diagrams import Canvas

__all__ = ["load_figure"]

RESULTS = Path(__file__).with_name("load.json")

PANEL, LEFT, TOP, BOTTOM = 250, 70, 70, 330
HIGHEST = 1.8
"""Top of the axis, as a part of what production leaves of the link."""


def load_figure() -> str:
    """One panel for each size of frame; a bar for each load."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    sizes = list(dict.fromkeys(point["size"] for point in results["points"]))
    canvas = Canvas(LEFT + PANEL * len(sizes) + 20, BOTTOM + 90, "production and copies on one link, against load")
    canvas.text(24, 30, "Copies due, as a part of what production leaves of the network link", "title", "start")
    canvas.text(24, 50, "and, as the line, production that passes in its time", anchor="start")
    for percent in (0, 50, 100, 150):
        y = _y(percent / 100)
        canvas.text(LEFT - 10, y + 4, f"{percent} %", anchor="end")
        canvas.path((LEFT, y), (canvas.width - 20, y), arrow=False, style="cut")
    for number, size in enumerate(sizes):
        _panel(canvas, LEFT + PANEL * number, size, [each for each in results["points"] if each["size"] == size])
    _legend(canvas)
    return canvas.svg()


def _y(share: float) -> int:
    return round(BOTTOM - (BOTTOM - TOP) * share / HIGHEST)


def _panel(canvas: Canvas, left: int, size: str, points: Sequence[dict[str, Any]]) -> None:
    step = (PANEL - 20) // len(points)
    line = []
    for number, point in enumerate(points):
        x = left + 12 + step * number
        sent = point["load"] * point["sent"][1] / point["due"][1]
        _bar(canvas, x, step - 12, 0, sent, "kept")
        _bar(canvas, x, step - 12, sent, point["load"], "outer")
        canvas.text(x + (step - 12) // 2, BOTTOM + 18, f"{100 * point['load']:.0f}")
        line.append((x + (step - 12) // 2, _y(min(point["production"].values()))))
    canvas.path(*line, arrow=False)
    for place in line:
        canvas.dot(*place)
    canvas.text(left + PANEL // 2, BOTTOM + 38, f"load in %, frames of {size} bytes")


def _bar(canvas: Canvas, x: int, width: int, low: float, high: float, colour: str) -> None:
    top, bottom = _y(high), _y(low)
    if bottom > top:
        canvas.parts.append(f'<rect x="{x}" y="{top}" width="{width}" height="{bottom - top}" class="{colour}"/>')


def _legend(canvas: Canvas) -> None:
    y = BOTTOM + 66
    for x, colour, words in ((LEFT, "kept", "copies sent"), (LEFT + 130, "outer", "copies skipped, counted congested")):
        canvas.parts.append(f'<rect x="{x}" y="{y - 11}" width="14" height="14" class="{colour}"/>')
        canvas.text(x + 22, y, words, anchor="start")
    canvas.path((LEFT + 370, y - 4), (LEFT + 400, y - 4), arrow=False)
    canvas.dot(LEFT + 385, y - 4)
    canvas.text(LEFT + 408, y, "production", anchor="start")
