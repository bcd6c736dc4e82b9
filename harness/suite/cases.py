"""Cases: folders with a capture, a policy, what is expected of each frame, and a note where it comes from.

    frames.pcap   the frames, in the order in which they are sent
    mirror.json   the policy; more of them (mirror-2.json ...) where the policy changes between frames
    expect.json   what the law says becomes of each frame (``_FRAME``), of the counters, and the run-time settings
    note.md       what is shown, by which rules of docs/mirroring.md, and the source

An installed package has them beside this module, a checkout in ``tests/cases``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halfsilver.harness.capture.reader import open_capture
from halfsilver.harness.engines.registry import Ability
from halfsilver.harness.errors import UsageError
from halfsilver.harness.policy.policy import Policy, read_documents
from halfsilver.harness.records import METRICS, Flags, Frame
from halfsilver.harness.spelling import rather
from halfsilver.harness.verdict import Direction

__all__ = ["Case", "Expected", "case_folders", "read_case"]

_CASE = ("rules", "needs", "settings", "frames", "metrics")
_SETTINGS = ("eni", "tap", "terminal_reject", "source_port_base", "source_port_mask")
_FRAME = (
    "direction",
    "bad",
    "dropped",
    "policy",
    "verdict",
    "eni",
    "session",
    "rule",
    "service",
    "copied",
    "outer",
    "ignore",
)


@dataclass(frozen=True, slots=True)
class Expected:
    """One frame and what is to become of it.

    policy      which of the case's policies judges it, from 0
    verdict ... copied  what the record names, by AWS's ids; the rule by its number
    outer       bytes of the outer headers, None where there is no copy
    ignore      fields of the copy that are not compared
    """

    frame: Frame
    policy: int
    verdict: str
    eni: str | None
    session: str | None
    rule: int | None
    service: str | None
    copied: int
    outer: bytes | None
    ignore: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A case as its folder has it. ``metrics``: by interface, what AWS's eight metrics must go up by; 0 if left out."""

    name: str
    folder: Path
    rules: tuple[str, ...]
    needs: tuple[Ability, ...]
    flags: Flags
    policies: tuple[Policy, ...]
    frames: tuple[Expected, ...]
    metrics: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def case_folders() -> list[Path]:
    """All folders with cases that come with the package, by name. UsageError if there are none."""
    here = Path(__file__).resolve().parent
    for folder in (here / "cases", here.parents[1] / "tests" / "cases"):
        if folder.is_dir():
            return sorted(path.parent for path in folder.glob("*/expect.json"))
    raise UsageError(
        f"no cases: neither {here / 'cases'} nor a checkout's tests/cases is there; install the wheel again"
    )


def read_case(folder: Path) -> Case:
    """The case in a folder; UsageError, with the file and what would be right, for what cannot be meant."""
    path = folder / "expect.json"
    values = _members(read_documents(path), _CASE, str(path))
    settings = _members(values.get("settings", {}), _SETTINGS, f"{path}: settings")
    flags = Flags(**{name: value for name, value in settings.items() if name != "eni"})
    policies = _read_policies(folder, settings.get("eni"))
    with open_capture(folder / "frames.pcap") as reader:
        captured = [frame.data for frame in reader]
    lines = values["frames"]
    if len(lines) != len(captured):
        raise UsageError(f"{path}: {len(lines)} frames are expected, and frames.pcap has {len(captured)}")
    frames = [
        _read_expected(
            data, _members(line, _FRAME, f"{path}: frame {number}"), len(policies), f"{path}: frame {number}"
        )
        for number, (data, line) in enumerate(zip(captured, lines, strict=True), 1)
    ]
    for eni, metrics in values.get("metrics", {}).items():
        _members(metrics, METRICS, f"{path}: metrics of {eni}")
    needs = tuple(Ability(_one_of(each, list(Ability), f"{path}: needs")) for each in values.get("needs", []))
    rules = tuple(values["rules"])
    return Case(folder.name, folder, rules, needs, flags, policies, tuple(frames), values.get("metrics", {}))


def _read_policies(folder: Path, eni: str | None) -> tuple[Policy, ...]:
    """mirror.json, then mirror-2.json and so on."""
    paths = [folder / "mirror.json"]
    while (path := folder / f"mirror-{len(paths) + 1}.json").exists():
        paths.append(path)
    return tuple(Policy.load(path, eni=eni) for path in paths)


def _read_expected(data: bytes, values: Any, policies: int, where: str) -> Expected:
    line = _members(values, _FRAME, where)
    direction = Direction[_one_of(line["direction"], [str(each) for each in Direction], where).upper()]
    policy = line.get("policy", 1)
    if not 1 <= policy <= policies:
        raise UsageError(f"{where}: policy {policy}: there are {policies}")
    outer = line.get("outer")
    if (outer is None) != (line["verdict"] != "mirrored"):
        raise UsageError(f"{where}: a mirrored frame has the outer headers of its copy, another one has none")
    return Expected(
        Frame(data, direction, bad=line.get("bad", False), dropped=line.get("dropped", False)),
        policy - 1,
        line["verdict"],
        line.get("eni"),
        line.get("session"),
        line.get("rule"),
        line.get("service"),
        line.get("copied", 0),
        None if outer is None else bytes.fromhex("".join(outer)),
        tuple(line.get("ignore", ())),
    )


def _members(values: Any, known: Collection[str], where: str) -> Mapping[str, Any]:
    """An object with no other members than these; UsageError otherwise."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{where}: must be an object with {', '.join(known)}")
    for name in values:
        _one_of(name, known, where)
    return values


def _one_of(name: str, known: Sequence[str] | Collection[str], where: str) -> str:
    if name not in known:
        raise UsageError(f"{where}: {name!r} is not known; {rather(name, known)}")
    return name
