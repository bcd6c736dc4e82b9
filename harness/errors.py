"""Errors that a user can act on, each with the exit code of the command line."""

from __future__ import annotations

__all__ = [
    "CapacityExceeded",
    "CardUnreachable",
    "EXIT_BOARD",
    "EXIT_ENVIRONMENT",
    "EXIT_INTERRUPTED",
    "EXIT_MISMATCH",
    "EXIT_NOTHING",
    "EXIT_OK",
    "EXIT_USAGE",
    "EnvironmentMissing",
    "HalfsilverError",
    "RigError",
    "TransferDamaged",
    "UsageError",
    "WrongCard",
]

EXIT_OK = 0
EXIT_MISMATCH = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_BOARD = 4
EXIT_NOTHING = 5
EXIT_INTERRUPTED = 130


class HalfsilverError(Exception):
    """One clear line: what was wrong, where, and what would be right. ``exit_code``: docs/reference/command_line.md."""

    exit_code = EXIT_MISMATCH


class UsageError(HalfsilverError):
    """Bad input or bad arguments."""

    exit_code = EXIT_USAGE


class EnvironmentMissing(HalfsilverError):
    """A tool, compiler or file of the installation is missing."""

    exit_code = EXIT_ENVIRONMENT


class RigError(HalfsilverError):
    """What is between host and card, or the card as a whole, is not as it has to be: nothing is said of the design."""

    exit_code = EXIT_BOARD


class CardUnreachable(RigError):
    """There is no way to a card, or not any more: no port, no permission, no link, no answer."""


class WrongCard(RigError):
    """What answers is no card that the driver knows; nothing was written to it."""


class TransferDamaged(RigError):
    """What was sent to or asked of a card did not arrive whole; of a rule set the one before it stays in force."""


class CapacityExceeded(HalfsilverError):
    """A policy needs more of something than an engine has; found before anything is written to the engine.

    ``resource`` is "interfaces", "sessions" (of one interface), "rules" (of one filter) or "guards" (of interfaces).
    """

    exit_code = EXIT_USAGE

    def __init__(self, message: str, resource: str) -> None:
        super().__init__(message)
        self.resource = resource
