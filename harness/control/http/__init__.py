"""Requests and answers: the server, its connections and limits, and the protocols of AWS."""
