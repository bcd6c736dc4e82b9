"""Boards: synthesis, place and route; later one file per board on top of amaranth-boards."""
