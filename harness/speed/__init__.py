"""How much the served API can take: a client that measures, servers to be measured, and files to fill them with."""
