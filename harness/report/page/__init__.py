"""The page of a run (``--report``): one HTML file, without script, with nothing from elsewhere."""
