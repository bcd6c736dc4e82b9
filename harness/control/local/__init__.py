"""Halfsilver's own paths beside AWS's API."""
