"""The parser: reads headers out of a frame as it streams by."""
