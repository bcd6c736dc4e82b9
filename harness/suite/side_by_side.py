"""A copy beside the one that was expected, field by field, as rows for people."""

from __future__ import annotations

from collections.abc import Iterator

from halfsilver.harness.report.dissection import Row, names
from halfsilver.harness.report.header_fields import fields_of
from halfsilver.harness.suite.mask import Mask

__all__ = ["side_by_side"]


def side_by_side(expected: Mask, actual: bytes) -> Iterator[Row]:
    """The fields of the longer of both frames, as the expected one has them as far as it goes."""
    longer = expected.expected if len(expected.expected) >= len(actual) else actual
    for field in fields_of(longer):
        theirs, ours = expected.expected[field.start : field.end], actual[field.start : field.end]
        places = range(field.start, field.end)
        compared = any(map(expected.compares, places))
        wrong = [at for at in places if expected.compares(at) and expected.expected[at : at + 1] != actual[at : at + 1]]
        yield Row(*names(field.name), field.start, theirs, ours, compared, bool(wrong))
