"""Halfsilver's own paths beside AWS's API: the status, and frames to judge."""
