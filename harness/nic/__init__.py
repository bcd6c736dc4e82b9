"""The driver of the card: identifies it, loads a policy, reads counters, finds out what belongs to which frame."""
