"""The description is true: schemathesis makes calls of it, right ones and wrong ones, and looks at the answers."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from awssts.domain.callers import Caller
from awssts.domain.errors import StsUnavailable
from awssts.domain.gateway import Asked
from awssts.domain.policy.errors import LimitExceeded
from awssts.domain.refusals import AuthenticationFailed, CodeNeeded, TooMany
from awssts.entry.gateway import GatewayServer, Pages
from awssts.services.gateway import Given
from tests.unit.builders import HOUR, SERIAL, credentials

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CHECKS = """
[checks]
positive_data_acceptance.enabled = false  # right by the description, and still refused: given twice, no such role
negative_data_rejection.expected-statuses = ["400", "401", "403", "405", "413", "415", "429", "503", "504"]
"""


class Service:
    """Answers in all ways, by the length of the name."""

    def __init__(self) -> None:
        self.calls = 0

    async def login(self, asked: Asked, _caller: Caller) -> Given:
        self.calls += 1
        outcomes = [AuthenticationFailed("x"), CodeNeeded(SERIAL), TooMany(3), StsUnavailable("x"), LimitExceeded("x")]
        kind = len(asked.username) % (len(outcomes) + 1)
        if kind < len(outcomes):
            raise outcomes[kind]
        return Given(credentials(expiration=datetime.now(UTC) + HOUR), "eu-west-1")

    async def reachable(self, *, within: float) -> None:
        return None


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def url(service: Service) -> AsyncIterator[str]:
    pages = Pages(service, service, ())  # type: ignore[arg-type] # all of it that is used
    server = GatewayServer(pages, None, host="127.0.0.1", port=0, finish=1)
    await server.start()
    yield f"http://127.0.0.1:{server.port}"
    await server.stop()


@pytest.mark.timeout(170)
async def test_schemathesis(service: Service, url: str, tmp_path: Path) -> None:
    options = ["--max-examples=40", "--seed=1", "--generation-database=none", "--no-color", "--max-response-time=5"]
    phases = ["--phases=examples,coverage,fuzzing", "--suppress-health-check=all"]
    (tmp_path / "schemathesis.toml").write_text(CHECKS)
    running = await asyncio.create_subprocess_exec(
        SCHEMATHESIS,
        "run",
        f"{url}/openapi.json",
        *options,
        *phases,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
    )
    said, _ = await running.communicate()
    assert running.returncode == 0, said.decode()
    assert service.calls > 20
