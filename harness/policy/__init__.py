"""AWS's words: read, checked and resolved into what an engine is configured with."""
