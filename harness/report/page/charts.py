"""Stacked bars as numbers for an SVG: the one form of chart a page has.

The template draws them: a page has to follow its reader's light or dark and to do without script. Where there is script
(the console), a library draws them again from their tables, to be pointed at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["HEIGHT", "Chart", "Column", "Piece", "stacked"]

HEIGHT = 100
"""Of a chart, in its own units; a bar is one unit wide."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar: ``style`` is its class, ``y`` its upper edge from the top."""

    style: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """A bar: what it stands for, its amounts in the order of the legend, and its pieces from the bottom."""

    label: str
    amounts: tuple[int, ...]
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """``name`` is for ids; ``legend`` pairs classes and words; ``top`` is the amount at the upper edge."""

    name: str
    title: str
    unit: str
    legend: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    top: int

    @property
    def description(self) -> str:
        """What is to be seen, for who does not see it."""
        totals = [sum(column.amounts[place] for column in self.columns) for place in range(len(self.legend))]
        parts = [f"{words} {total:,}" for (_, words), total in zip(self.legend, totals, strict=True)]
        highest = max(self.columns, key=lambda column: sum(column.amounts), default=None)
        peak = "" if highest is None else f"; the highest of {len(self.columns)} bars is {self.top:,}, {highest.label}"
        return f"In {self.unit}, in all: {', '.join(parts)}{peak}."


def stacked(
    name: str, title: str, unit: str, legend: Mapping[str, str], bars: Sequence[tuple[str, Mapping[str, int]]]
) -> Chart:
    """``legend``: class to words; ``bars``: label, and amount by class. The highest bar fills the height."""
    top = max((sum(amounts.get(style, 0) for style in legend) for _, amounts in bars), default=0)
    columns = []
    for label, amounts in bars:
        pieces, level = [], float(HEIGHT)
        for style in legend:
            height = HEIGHT * amounts.get(style, 0) / max(1, top)
            level -= height
            if height:
                pieces.append(Piece(style, round(level, 3), round(height, 3)))
        columns.append(Column(label, tuple(amounts.get(style, 0) for style in legend), tuple(pieces)))
    return Chart(name, title, unit, tuple(legend.items()), tuple(columns), top)
