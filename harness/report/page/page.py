"""The text of a page: the sums of a run and what was gathered beside them, through the templates of this room."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from halfsilver.harness.engines.registry import REFERENCE
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.page.charts import Chart, stacked
from halfsilver.harness.report.page.cuts import BOUNDS, Cut
from halfsilver.harness.report.page.gathering import COPIES, Gathering, Sample
from halfsilver.harness.report.page.groups import MEANING, Group, group_of
from halfsilver.harness.report.page.layers import layers_of
from halfsilver.harness.report.page.talkers import in_words
from halfsilver.harness.report.page.template_files import open_templates
from halfsilver.harness.report.rule_hits import rule_hits
from halfsilver.harness.report.run_sums import Fate, FateSum
from halfsilver.harness.report.summary import RunSummary, agreement
from halfsilver.harness.report.tables import share
from halfsilver.harness.report.verdict_lines import why

__all__ = ["About", "link", "render_page"]

TALKERS = 15
"""Rows of the table of who was not mirrored."""
UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000), ("ns", 1))


@dataclass(frozen=True)
class About:
    """What a page says of its run that is in no sum: the capture's name; ``facts``, each a name and words; the way from
    a sample to the lines that explain it; ``files`` as (what, address in the page, path); what would help; what was
    wrong."""

    capture: str
    facts: Sequence[tuple[str, str]]
    walk: Callable[[Sample], Sequence[str]]
    files: Sequence[tuple[str, str, str]] = ()
    hints: Sequence[str] = ()
    notes: Sequence[str] = ()


def render_page(summary: RunSummary, gathering: Gathering, about: About) -> str:
    """The page's HTML. What comes from captures and policies is escaped by the templates' engine."""
    environment = open_templates()
    environment.filters["address"] = in_words
    talkers, others = gathering.talkers.top(TALKERS)
    return environment.get_template("page.html").render(
        about=about,
        summary=summary,
        agreement=agreement(summary) if summary.compared else None,
        differences=[each.describe((REFERENCE, summary.engine)) for each in summary.differences],
        verdicts=list(_verdicts(summary)),
        total=summary.sums.total,
        charts=list(_time_charts(gathering)),
        span=_time_span(gathering),
        sessions=list(_sessions(summary, gathering)),
        cuts=list(Cut),
        lengths=_lengths(gathering),
        rules=list(rule_hits(summary.policy, summary.sums)),
        talkers=[(talker, why(summary.policy, talker.fate), part) for talker, part in talkers],
        others=others,
        samples=[_sample(summary.policy, sample, about) for sample in gathering.samples],
    )


def link(path: str, folder: Path) -> str:
    """A file's address from a page in ``folder``; no byte of a name is taken for anything else."""
    return quote(os.fsencode(os.path.relpath(path, folder)))


def _verdicts(summary: RunSummary) -> Iterator[dict[str, Any]]:
    for verdict, part in summary.verdicts.items():
        group, meaning = MEANING[verdict]
        yield {
            "name": str(verdict),
            "group": group,
            "meaning": meaning,
            "sum": part,
            "share": share(part.frames, summary.frames),
        }


def _time_charts(gathering: Gathering) -> Iterator[Chart]:
    """What was offered by what became of it, and the copies; both over the same time."""
    bars = list(gathering.timeline.bars())
    first = bars[0].start if bars else 0
    labels = [f"{_duration(bar.start - first)} to {_duration(bar.start - first + bar.width)}" for bar in bars]
    amounts = [(label, bar.amounts) for label, bar in zip(labels, bars, strict=True)]
    yield stacked(
        "offered", "Frames offered", "bytes", {group.name: group.value for group in Group if _has(bars, group)}, amounts
    )
    yield stacked(COPIES, "Copies sent", "bytes with their outer headers", {COPIES: "copies"}, amounts)


def _has(bars: Sequence[Any], group: Group) -> bool:
    return any(bar.amounts[group.name] for bar in bars)


def _time_span(gathering: Gathering) -> str:
    """From when to when, and how long a bar is."""
    first, last = gathering.timeline.first, gathering.timeline.last
    if first is None or last is None:
        return "no frame"
    width = next(gathering.timeline.bars()).width
    return f"{_date(first)} to {_date(last)}, {_duration(last - first)}; a bar is {_duration(width)}"


def _date(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, UNITS[0][1])
    try:
        day = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError):
        return f"{seconds:,} s after 1970"
    return f"{day:%Y-%m-%d %H:%M:%S}.{rest:09d} UTC"


def _duration(nanoseconds: int) -> str:
    unit, size = next(((unit, size) for unit, size in UNITS if nanoseconds >= size), UNITS[0])
    return f"{nanoseconds / size:,.6g} {unit}"


def _sessions(summary: RunSummary, gathering: Gathering) -> Iterator[dict[str, Any]]:
    met = summary.sums.by(lambda fate: (fate.eni, fate.session, MEANING[fate.verdict][0]))
    for eni, interface in enumerate(summary.policy.interfaces):
        for index, session in enumerate(interface.sessions):
            outer = session.outer
            yield {
                "interface": interface,
                "session": session,
                "to": f"down: {session.down_reason}" if outer is None else session.where,
                "mtu_limit": None if outer is None else outer.mtu_limit,
                "copied": met.get((eni, index, Group.COPIED), FateSum()),
                "lost": met.get((eni, index, Group.LOST), FateSum()),
                "rejected": met.get((eni, index, Group.FILTERED), FateSum()),
                "cuts": gathering.cuts.sessions.get((eni, index), {}),
                "longest": gathering.cuts.longest.get((eni, index), 0),
            }


def _lengths(gathering: Gathering) -> Chart:
    legend = {cut.name: cut.value for cut in Cut if any(each[cut] for each in gathering.cuts.classes)}
    bars = [
        (f"to {bound:,}", {cut.name: count for cut, count in each.items()})
        for bound, each in zip(BOUNDS, gathering.cuts.classes, strict=True)
    ]
    return stacked("lengths", "Mirrored frames by their length", "frames", legend, bars)


def _sample(policy: Policy, sample: Sample, about: About) -> dict[str, Any]:
    return {
        "number": sample.number,
        "record": sample.record,
        "why": why(policy, Fate.of(sample.record)),
        "group": group_of(sample.record.verdict),
        "time": _date(sample.frame.timestamp),
        "walk": about.walk(sample),
        "layers": layers_of(sample.frame.data),
        "copies": [layers_of(copy) for copy in sample.copies],
    }
