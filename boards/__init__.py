"""Boards: synthesis, place and route; later one file per board on top of amaranth-boards.

A board enters itself here: a file in this folder that is no board (`shell`, `synth`) is not taken for one.
"""

__all__ = ["BOARDS"]

BOARDS: dict[str, str] = {}
"""The boards that there are: name on the command line, and what it is in a few words."""
