"""Errors that end a command with a sentence instead of a traceback."""


class CannotTell(Exception):
    """There is no answer: nothing to look at, or nobody to ask."""


class Refused(Exception):
    """It was not done. The text says why, and what to do first."""
