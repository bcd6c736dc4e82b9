"""An AWS look-alike (moto, LocalStack) behind this server: it answers what is not Traffic Mirroring.

A request that is somebody else's (``division``) is read only as far as policies need it (``asked``), signed anew and
passed on (``connection``). What it may have changed is read back before its answer goes out (``reading``), put right
where the look-alike is unlike AWS (``bridges``, ``arns``), and becomes the inventory. ``gateway`` has it all together,
``moto`` starts moto's own server.
"""
