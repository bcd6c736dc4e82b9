"""Who may do what: keys, signatures, policies, authorization."""
