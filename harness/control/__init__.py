"""The control plane: a server that AWS clients take for EC2's Traffic Mirroring API, bound to an engine.

The way of a request: ``app`` (HTTP, limits) -> ``sigv4`` (who) -> ``protocols`` (bytes to parameters, from
botocore's service models) -> ``control`` (one transaction: may they, do it, tell the data plane) -> ``protocols`` ->
bytes. Operations are plain functions in the modules that ``operations`` imports; they see AWS-shaped documents in
the store and nothing of HTTP.
"""
