"""EC2's operations: filters, rules, sessions and targets, their tags, and the network as EC2 shows it."""
