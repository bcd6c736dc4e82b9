"""Modules of the gateware with a changed text, beside the right ones."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

__all__ = ["Fault", "Parts", "changed"]

_PACKAGE = "halfsilver.hdl"

Parts = Callable[[str], ModuleType]
"""Gives a module below ``halfsilver.hdl`` by name."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``old``, once in ``module`` (below ``halfsilver.hdl``), becomes ``new``."""

    module: str
    old: str
    new: str


class _Loader(SourceFileLoader):
    """Loads a module with its text changed, and never from a cache."""

    def __init__(self, name: str, path: str, changes: Sequence[Fault]) -> None:
        super().__init__(name, path)
        self._changes = changes

    def get_code(self, fullname: str) -> CodeType:
        """ValueError if the place of a change is not there once."""
        text = self.get_data(self.path).decode()
        for change in self._changes:
            if text.count(change.old) != 1:
                raise ValueError(f"{fullname} has {text.count(change.old)} times, not once: {change.old}")
            text = text.replace(change.old, change.new)
        return compile(text, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, changes: Sequence[Fault]) -> None:
        self._changes = changes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        ours = [change for change in self._changes if f"{_PACKAGE}.{change.module}" == fullname]
        spec = PathFinder.find_spec(fullname, path) if ours else None
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin, ours)
        return spec


@contextmanager
def changed(changes: Sequence[Fault]) -> Iterator[Parts]:
    """The gateware as it is with the changes, for as long as this lasts. What was imported before stays as it is."""

    def ours() -> list[str]:
        gateware = (name for name in sys.modules if name.startswith(f"{_PACKAGE}."))
        return [name for name in gateware if not name.startswith(f"{_PACKAGE}.layout")]

    kept = {name: sys.modules.pop(name) for name in ours()}
    finder = _Finder(changes)
    sys.meta_path.insert(0, finder)
    try:
        yield lambda name: importlib.import_module(f"{_PACKAGE}.{name}")
    finally:
        sys.meta_path.remove(finder)
        for name in ours():
            del sys.modules[name]
        sys.modules.update(kept)
