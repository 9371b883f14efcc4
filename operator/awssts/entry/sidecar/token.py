"""The token file: what a request must show. The pod's other containers read the same file, and nobody else can."""

import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from awssts.domain.errors import AwsstsError
from awssts.entry.sidecar.volume import content

SHORTEST: Final = 16  # characters
LONGEST: Final = 4096

log = logging.getLogger(__name__)


class TokenFile:
    """A token that is read again whenever its file changes: the old one is good for nothing from then on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._token: bytes | None = None

    def current(self) -> bytes | None:
        """Return the token; None while there is none that can be used."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - for each request
            mark = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
            if mark != self._seen:
                self._token = self._usable((content(self._path, LONGEST) or b"").strip())
                self._seen = mark
        except OSError as error:
            if self._seen != ():
                log.warning("token file %s: %s", self._path, error.strerror)
            self._seen, self._token = (), None
        return self._token

    def _usable(self, token: bytes) -> bytes | None:
        if SHORTEST <= len(token) <= LONGEST:
            return token
        log.warning("token file %s: a token has %d to %d characters", self._path, SHORTEST, LONGEST)
        return None


def create(path: Path) -> None:
    """Write a random token, unless there is one. It appears whole, and whoever sees the folder may read it.

    Raises:
        AwsstsError: the folder is not there or can't be written.
    """
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, secrets.token_urlsafe(32).encode())
            os.fchmod(file, 0o444)
        finally:
            os.close(file)
        with suppress(FileExistsError):  # another was faster: theirs counts
            os.link(draft, path)
        draft.unlink()
    except OSError as error:
        raise AwsstsError(
            f"--create-token can't write {path}: {error.strerror}; mount an emptyDir on {path.parent} that this "
            "container may write to"
        ) from None
