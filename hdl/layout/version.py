"""The version of gateware and host software, in one place: the package and the VERSION register read it here."""

__all__ = ["VERSION", "VERSION_PARTS"]

VERSION = "0.1.0"

VERSION_PARTS: tuple[int, ...] = tuple(int(part) for part in VERSION.split("."))
"""major, minor, patch"""
