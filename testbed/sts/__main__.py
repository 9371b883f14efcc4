"""`python -m testbed.sts`: the strict STS as a process of its own."""

from __future__ import annotations

import argparse
import asyncio


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m testbed.sts", description="A strict AWS STS.")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (default: any free one)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    arguments = parser.parse_args()

    from testbed.sts.server import serve  # noqa: PLC0415 - moto takes two seconds to import: not for --help

    asyncio.run(serve(arguments.port, arguments.host))


if __name__ == "__main__":
    main()
