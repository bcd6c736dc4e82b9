"""Capture files: frames in, copies out."""
