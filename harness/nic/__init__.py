"""The driver of the card: what is written to it and read from it, over any transport."""
