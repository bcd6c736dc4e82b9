"""The subcommands of ``halfsilver``, one module each; those about cards and boards in ``card``,
those about the served API in ``served``.

A module has ``add(subparsers)``, which declares its arguments, and ``run(arguments)``, which returns the exit
code. Errors are raised (``halfsilver.harness.errors``) and printed in one place, ``halfsilver.harness.cli``.
"""
