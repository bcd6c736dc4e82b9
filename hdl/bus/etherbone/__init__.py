"""Registers over Etherbone, LiteX's way through UDP: frames for the card itself, their buffer, server and port."""
