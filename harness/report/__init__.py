"""What a run is worth saying: comparisons, summaries, verdict lines, progress."""
