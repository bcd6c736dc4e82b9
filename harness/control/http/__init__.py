"""Requests and answers: the server, its limits, and the protocols of AWS."""
