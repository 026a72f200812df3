"""What a request is refused with."""

import msgspec


class Refused(Exception):
    """A request that gets no answer: an HTTP status, MLflow's name of the error, and one line for the caller."""

    def __init__(
        self, status: int, code: str, message: str, headers: tuple[tuple[bytes, bytes], ...] = (), plain: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.plain = plain  # MLflow answers an unknown content type in plain text

    def body(self) -> bytes:
        """The answer's body."""
        if self.plain:
            return self.message.encode()
        return msgspec.json.encode({"error_code": self.code, "message": self.message})


def bad_request(message: str) -> Refused:
    """A body that cannot be read as the protocol wants."""
    return Refused(400, "BAD_REQUEST", message)


def invalid(message: str) -> Refused:
    """Values that the model's contract does not allow."""
    return Refused(400, "INVALID_PARAMETER_VALUE", message)
