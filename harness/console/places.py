"""Which region a page is of: the one that its address names behind ``/console``, else the server's own.

``/console/eu-west-1/filters`` has the filters of eu-west-1, ``/console/filters`` those of the server's own region. All
that a page leads to, and its forms, is below the same address; no cookie says a region.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from halfsilver.harness.control.operations.call import Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.regions import region_words
from halfsilver.harness.spelling import nearest

__all__ = ["PATH", "Place", "Places"]

PATH = "/console"
_FORM = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+")
"""What a region is called, and no page is."""


@dataclass(frozen=True, slots=True)
class Place:
    """A region as pages know it.

    region  as a ``Call`` has it: empty for the server's own
    name    what it is called
    words   where that is, as AWS writes it; empty where botocore does not say
    path    what the addresses of its pages begin with
    """

    region: str
    name: str
    words: str
    path: str


class Places:
    """The regions of a server. ``home`` is its own, ``all`` are in order of their names."""

    def __init__(self, settings: Settings) -> None:
        words = region_words(settings.partition)
        others = [Place(name, name, words.get(name, ""), f"{PATH}/{name}") for name in settings.regions]
        self.home = Place("", settings.region, words.get(settings.region, ""), PATH)
        self.all = tuple(sorted((self.home, *others), key=lambda each: each.name))
        self._named = {each.name: each for each in self.all}

    def divide(self, path: str) -> tuple[Place, str]:
        """The region of an address, and the address of the same page in the server's own. ApiError: it is not there."""
        name, slash, rest = path.removeprefix(f"{PATH}/").partition("/")
        found = self._named.get(name)
        if found is not None:
            return found, f"{PATH}{slash}{rest}"
        if _FORM.fullmatch(name):
            meant = nearest(name, self._named) or self.home.name
            raise ApiError("NotFound", f"There is no region {name[:64]} here; did you mean {meant}?", 404)
        return self.home, path
