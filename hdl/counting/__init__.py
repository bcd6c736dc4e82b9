"""What is counted and kept of the frames: verdicts, sessions, rules, ports; a snapshot of them; the verdict ring."""
