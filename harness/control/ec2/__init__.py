"""EC2's operations: filters, rules, sessions, targets, network, tags."""
