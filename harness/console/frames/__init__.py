"""Frames that somebody asks about: why one was not copied, and what a change would change for them."""
