"""The subcommands about the served API and what it keeps."""
