"""Who asks, and may they: access keys, signatures, policies and their conditions, authorization."""
