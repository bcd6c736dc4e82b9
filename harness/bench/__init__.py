"""A bench: boards and their cables by name, wires that carry frames to and from a card, and recordings of runs."""
