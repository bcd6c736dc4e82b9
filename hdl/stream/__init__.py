"""Streams: what stands between two blocks that do not keep the same time."""
