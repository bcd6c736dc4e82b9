"""The match pipeline: whose frame it is, which rules hit, which session takes it, and the hash of its flow."""
