"""The control plane: a server that AWS clients take for EC2's Traffic Mirroring API, bound to an engine.

A request goes one way, and passes each station once: ``http`` reads it (``app``: limits; ``protocols``: whose it is),
``iam.sigv4`` says who sent it, ``http.protocols`` makes parameters of its bytes; ``control`` begins a moment of the
store, ``iam.authorization`` says whether they may, the operation does it (``ec2``, ``ram``, ``cloudwatch``, ``elbv2``,
``sts``, ``service_quotas``, ``tagging``), ``plane`` tells the engine, the store commits, and ``http.protocols`` writes
the answer.

What the engine counts goes another way: ``plane`` enters it into the book of ``metrics``, whose collector writes each
minute into the store, where ``cloudwatch`` finds it.

Rooms, each of which uses those before it alone: ``state``, ``operations``, ``http``, ``iam``, ``inventory``,
``metrics``, ``cloudwatch``, ``trail``, ``ec2``, ``ram``; the services of one module, ``elbv2``, ``sts``,
``service_quotas`` and ``tagging``; ``catalogue``, ``plane``, ``control``, ``local``, ``upstream``, ``directory``,
``backup``, ``serving``, which puts a server together, and ``workers``, which has several of it.
"""
