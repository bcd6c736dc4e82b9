"""The packet suite: verbs to send frames and verify copies on any engine, its cases, the page of one that failed."""
