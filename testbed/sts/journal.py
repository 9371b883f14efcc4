"""What was called and what came of it: a log and counters, without any secret."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any

LONGEST_LOG = 200_000  # calls
SAME_CODE = 180  # seconds: later than that, the same six digits are another code by chance


@dataclass
class Call:
    """One call; `result`: "Success", an error code, "Garbage", or the connection's end: "Dropped", "Gone"."""

    time: float  # seconds since 1970 by the machine's clock, not the skewed one
    operation: str
    access_key_id: str = ""
    region: str = ""
    duration_seconds: int | None = None
    serial_number: str | None = None
    with_code: bool = False
    reused_code: bool = False
    role_arn: str | None = None
    role_session_name: str | None = None
    result: str = ""
    issued_access_key_id: str = ""


@dataclass
class Counters:
    """Sums since the start or the last reset."""

    calls: dict[str, dict[str, int]] = field(default_factory=dict)  # operation → result → calls
    with_code: int = 0
    reused_codes: int = 0  # calls with a code seen before on the device, whatever came of either
    codes: dict[str, int] = field(default_factory=dict)  # device → calls with a code
    concurrent_max: int = 0

    def total(self, operation: str | None = None, result: str | None = None) -> int:
        """Calls of an operation, with a result, or both, or all."""
        return sum(
            number
            for name, results in self.calls.items()
            for outcome, number in results.items()
            if operation in (None, name) and result in (None, outcome)
        )


class Journal:
    """The log and the counters of a running STS."""

    def __init__(self) -> None:
        self._codes: dict[str, deque[tuple[float, str]]] = {}
        self._active = 0
        self.reset()

    def reset(self) -> None:
        """Starts counting anew. Codes seen before are still known: a reuse across a reset is one."""
        self.calls: deque[Call] = deque(maxlen=LONGEST_LOG)
        self._results: Counter[tuple[str, str]] = Counter()
        self._by_device: Counter[str] = Counter()
        self._reused = 0
        self._concurrent_max = self._active

    def begin(self, call: Call, token_code: str | None, now: float) -> None:
        """A call has arrived; `now` is the time that its code is judged by."""
        self._active += 1
        self._concurrent_max = max(self._concurrent_max, self._active)
        if token_code is None:
            return
        device = call.serial_number or ""
        call.with_code = True
        call.reused_code = self._seen(device, token_code, now)
        self._by_device[device] += 1
        self._reused += call.reused_code

    def end(self, call: Call) -> None:
        """The call has its result."""
        self._active -= 1
        self._results[call.operation, call.result] += 1
        self.calls.append(call)

    def counters(self) -> dict[str, Any]:
        calls: dict[str, dict[str, int]] = {}
        for (operation, result), number in self._results.items():
            calls.setdefault(operation, {})[result] = number
        return asdict(
            Counters(calls, self._by_device.total(), self._reused, dict(self._by_device), self._concurrent_max)
        )

    def _seen(self, device: str, code: str, now: float) -> bool:
        codes = self._codes.setdefault(device, deque())
        while codes and codes[0][0] < now - SAME_CODE:
            codes.popleft()
        seen = any(earlier == code for _, earlier in codes)
        codes.append((now, code))
        return seen
