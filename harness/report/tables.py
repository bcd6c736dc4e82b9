"""Columns of text and percentages, for people."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["plural", "share", "table"]


def table(header: Sequence[str], rows: Sequence[Sequence[object]], right: str = "") -> str:
    """Columns of text. ``right`` names the columns set flush right by digits, from 0, such as ``"123"``.

    Whole numbers get thousands separators.
    """
    cells = [list(header)]
    cells += [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        line = "  ".join(
            cell.rjust(width) if str(column) in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append(line.rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def plural(count: int, noun: str) -> str:
    """``1 frame``, ``2,000 frames``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def share(part: int, whole: int) -> str:
    """A percentage with one decimal; never 0.0 or 100.0 unless it is exactly that."""
    if part in (0, whole) or not whole:
        return f"{100 * part / whole if whole else 0:.1f} %"
    return f"{min(99.9, max(0.1, 100 * part / whole)):.1f} %"
