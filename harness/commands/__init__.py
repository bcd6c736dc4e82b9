"""The subcommands of ``halfsilver``, one module each.

A module has ``add(subparsers)``, which declares its arguments, and ``run(arguments)``, which returns the exit
code. Errors are raised (``halfsilver.harness.errors``) and printed in one place, ``halfsilver.harness.cli``.
"""
