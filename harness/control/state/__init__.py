"""Where the state is kept: the store, its tables, its files."""
