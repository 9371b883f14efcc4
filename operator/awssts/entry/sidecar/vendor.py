"""Vends: keeps the newest good credentials in memory, and answers requests for them."""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from awssts.domain.container_protocol import Request, Response, hosts, refusal, unauthorized, vend
from awssts.domain.vending import Stock, Unusable, Vended, read, restocked, written
from awssts.entry.sidecar.token import TokenFile
from awssts.entry.sidecar.volume import Volume

log = logging.getLogger(__name__)


class Vendor:
    """What the sidecar knows: the stock, and how often what was answered."""

    def __init__(self, volume: Volume, token: TokenFile, port: int, clock: Callable[[], datetime]) -> None:
        self.stock = Stock()
        self.answered: Counter[int] = Counter()  # by status
        self.taken = 0
        self.refused = 0
        self._volume = volume
        self._token = token
        self._hosts = hosts(port)
        self._clock = clock
        self._expired = False  # and said so

    def look(self) -> None:
        """Take up what has changed in the folder."""
        before = self.stock
        if (found := self._found()) is not None:
            self.stock = restocked(before, found, self._clock())
        if self.stock.problem:
            self._volume.forget()  # it may be mended in place
        self._tell(before)

    def answer(self, request: Request) -> Response:
        """Answer on the port of the credentials."""
        response = (
            refusal(request, self._hosts)
            or unauthorized(request, self._token.current())
            or vend(self.stock, self._clock())
        )
        self.answered[response.status] += 1
        return response

    def unready(self) -> str:
        """Return why no credentials would be given now to who has the token; empty if they would."""
        if self._token.current() is None:
            return "there is no token"
        now = self._clock()
        if self.stock.held is not None and not self.stock.alive(now):
            return f"the credentials expired at {written(self.stock.held.expiration)}"
        return "" if self.stock.alive(now) else self.stock.problem

    def _found(self) -> Vended | Unusable | None:
        try:
            files = self._volume.changed()
            return None if files is None else read(files)
        except Unusable as problem:
            return problem
        except OSError as error:
            return Unusable(f"{error.filename}: {error.strerror}")

    def _tell(self, before: Stock) -> None:
        held, problem, expired = self.stock.held, self.stock.problem, not self.stock.alive(self._clock())
        if held is not None and held != before.held:
            self.taken += 1
            self._expired = False
            log.info("took up %s, which expires at %s", held.access_key_id, written(held.expiration))
        if held is not None and expired and not self._expired:
            log.error("%s expired at %s: it is served no more", held.access_key_id, written(held.expiration))
        self._expired = expired
        if problem and problem != before.problem:
            self.refused += 1
            log.warning("%s; %s", problem, "there is nothing to serve" if expired else "what was read before is served")
