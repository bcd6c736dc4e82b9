"""The console: targets, filters, sessions, tags and frames in a browser, each action by the API's own operations."""
