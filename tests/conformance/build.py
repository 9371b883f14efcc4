"""`python -m tests.conformance.build`: builds what is missing, a few at a time, and says how long it took."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from testbed.process import ReportedError
from tests.conformance.sdks import SDKS, Missing, Sdk

AT_ONCE = 2  # cargo and go use all cores by themselves


def built(sdk: Sdk) -> bool:
    """Says what became of it; False where that is a failure."""
    start = time.monotonic()
    try:
        sdk.command()
    except Missing as reason:
        print(f"not measured: {reason}")
    except ReportedError as error:
        print(error, file=sys.stderr)
        return False
    else:
        print(f"{sdk.title} {sdk.version()}: {time.monotonic() - start:.0f} s")
    return True


def main() -> int:
    """0 unless one can't be built; who has no toolchain is no failure."""
    slowest_first = sorted(SDKS, key=lambda sdk: sdk.name not in {"rust", "go"})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return int(not all(list(pool.map(built, slowest_first))))


if __name__ == "__main__":
    sys.exit(main())
