"""The testbed's own calls to the strict STS: faults, clock, counters, and what IAM's API can't do."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from testbed.sts.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.sts.service import Service

PREFIX = "/-/sts/"  # nothing that AWS or moto has a path for


class Control:
    """One method for each call; arguments and results as JSON. ValueError or TypeError says what is wrong."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._calls: dict[str, Callable[..., Any]] = {
            "calls": self._journal,
            "clear-faults": service.faults.clear,
            "counters": service.journal.counters,
            "device-algorithm": service.directory.set_algorithm,
            "expire": self._expire,
            "fault": self._fault,
            "forget-codes": service.burnt_codes.forget,
            "ready": lambda: True,
            "reset-counters": service.journal.reset,
            "revoke": service.sessions.revoke,
            "root-key": self._root_key,
            "skew": self._skew,
        }

    def __call__(self, path: str, arguments: dict[str, Any]) -> Any:
        call = self._calls.get(path.removeprefix(PREFIX))
        if call is None:
            raise ValueError(f"no such call: {path}; there are {', '.join(self._calls)}")
        return call(**arguments)

    def _fault(self, **arguments: Any) -> None:
        self._service.faults.add(Fault(**arguments))

    def _skew(self, seconds: float) -> None:
        self._service.offset = timedelta(seconds=seconds)

    def _expire(self, access_key_id: str) -> bool:
        return self._service.sessions.expire(access_key_id, self._service.now())

    def _root_key(self) -> dict[str, str]:
        key = self._service.directory.create_root_key()
        return {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}

    def _journal(self) -> list[dict[str, Any]]:
        return [asdict(call) for call in self._service.journal.calls]
