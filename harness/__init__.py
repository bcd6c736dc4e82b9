"""Python that runs on the host: policy, golden model, engines, command line."""
