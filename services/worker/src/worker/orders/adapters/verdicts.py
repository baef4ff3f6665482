"""What an error of a peer means for the request."""

from enum import StrEnum


class Verdict(StrEnum):
    REFUSED = "refused"
    """Final: nothing happened, and the same request is refused again."""
    LATER = "later"
    """It may have happened; the same request, made again, finds out."""
    MOVED_ON = "moved_on"
    """The object is in another state than we think: a look tells in which."""
    SPENT = "spent"
    """This key answers an error for ever: look, then ask under a new one."""
    UNKNOWN = "unknown"
    """In no table. Retried for a while, then a person decides."""
