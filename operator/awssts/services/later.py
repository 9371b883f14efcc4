"""Not a failure: what is to be done can't be done yet."""

from datetime import datetime


class Later(Exception):  # noqa: N818 - not an error
    """Come again then; nothing was used up. ``why`` completes "waiting until …".

    ``quiet``: it is a moment's wait for another request, which nobody needs to be told of.
    """

    def __init__(self, until: datetime, why: str, *, quiet: bool = False) -> None:
        super().__init__(why)
        self.until = until
        self.why = why
        self.quiet = quiet
