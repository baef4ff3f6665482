"""How the carrier refuses: a status and a stable code."""


class CarrierError(Exception):
    """A refusal without effect, answered as `{"code": …, "message": …}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
