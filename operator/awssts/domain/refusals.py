"""Why the gateway answers a call with no credentials, beside what policies, STS and the cluster say."""

from awssts.domain.errors import AwsstsError
from awssts.domain.request import Identity


class BadParameter(AwsstsError):
    """A parameter can't be what it is; said before anybody is asked for."""


class AuthenticationFailed(AwsstsError):
    """No such user, or another password: the same to whoever asks. ``user`` is the Secret of the one that is meant."""

    def __init__(self, message: str, user: Identity | None = None) -> None:
        super().__init__(message)
        self.user = user


class CodeNeeded(AwsstsError):
    """The password is right, and a code of the user's device is needed beside it."""

    def __init__(self, serial_number: str) -> None:
        super().__init__(f"a code of {serial_number} is needed")
        self.serial_number = serial_number


class CodeRefused(AwsstsError):
    """The password is right, and the code is not."""


class DeviceRefused(AwsstsError):
    """The call names another device than the user's."""


class TooMany(AwsstsError):
    """Too many attempts, or too many at once."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = seconds


class Overloaded(AwsstsError):
    """More calls than the gateway works on at once."""


class TooLate(AwsstsError):
    """No answer in time."""
