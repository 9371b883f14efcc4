"""Password hashes: argon2id, in a few threads, so that many calls at once don't take the memory.

The parameters are above the least that OWASP's password storage cheat sheet asks for (19 MiB, 2 passes, 1 lane).
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from awssts.domain.refusals import Overloaded

MEMORY, PASSES, LANES = 32_768, 3, 1  # KiB, of each verification under way
THREADS = 2
WAITING_MAXIMUM = 64  # verifications that wait for a thread
_LARGEST_MEMORY, _MOST_PASSES, _MOST_LANES = 262_144, 16, 8  # what a hash may ask for: a Secret is no bomb


class Passwords:
    """Makes and verifies hashes."""

    def __init__(self, threads: int = THREADS) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY, parallelism=LANES)
        self._nobodys = self._hasher.hash("nobody's")
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._most = threads + WAITING_MAXIMUM
        self._under_way = 0

    def hash(self, password: str) -> str:
        """Return the hash of a new password."""
        return self._hasher.hash(password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether it is the password of that hash. Without one it takes as long, and is not.

        A hash of other parameters takes its own time besides, never less: cheap ones can hardly be told, costly ones
        can.

        Raises:
            Overloaded: too many wait already.
        """
        if self._under_way >= self._most:
            raise Overloaded("too many passwords at once")
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self._verify, password_hash, password)
        finally:
            self._under_way -= 1

    async def renewed(self, password_hash: str, password: str) -> str | None:
        """Return a new hash where that one was made with other parameters; else None."""
        if not self._hasher.check_needs_rehash(password_hash):
            return None
        return await asyncio.get_running_loop().run_in_executor(self._executor, self.hash, password)

    async def close(self) -> None:
        """Wait for those under way."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        known = password_hash if password_hash is not None and _bearable(password_hash) else None
        if known is None or self._hasher.check_needs_rehash(known):
            self._matches(self._nobodys, password)
        return known is not None and self._matches(known, password)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def _bearable(password_hash: str) -> bool:
    try:
        found = argon2.extract_parameters(password_hash)
    except InvalidHashError:
        return False
    return (
        found.type is argon2.Type.ID
        and found.memory_cost <= _LARGEST_MEMORY
        and found.time_cost <= _MOST_PASSES
        and found.parallelism <= _MOST_LANES
    )
