"""A host's own interface as a mirror: what goes over it, and copies sent as the host sends packets."""
