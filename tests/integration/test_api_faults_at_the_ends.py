"""An API server that fails when the operator starts or ends: it goes on, or ends so that it is started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.patience import eventually
from tests.integration.workspace import Pod, Workspace, calls_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.sts import StrictSts, User
    from tests.integration.api_proxy import ApiProxy
    from tests.integration.conftest import Launch


@pytest.fixture(autouse=True)
def _undisturbed_at_the_end(proxy: ApiProxy) -> Iterator[None]:
    yield
    proxy.clear()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_failed_discovery(
    launch: Launch, proxy: ApiProxy, proxied: Path, space: Workspace, user: User, status: int
) -> None:
    """The operator goes on, or ends so that it is started again; it never stays without watching."""
    space.keys(user)
    space.request()
    proxy.disturb(status, "GET", r"^/api$")
    operator = launch(proxied)
    operator.start()

    def settled() -> bool:
        return bool(space.secret()) or not operator.alive

    eventually(settled, "credentials, or the operator's end")
    if not operator.alive:
        assert operator.end() == 1
        assert operator.said().splitlines()[-1].startswith("Error: ")
        operator.start()
    space.until_ready()


def test_an_api_server_that_is_just_starting(
    launch: Launch, proxy: ApiProxy, proxied: Path, space: Workspace, user: User
) -> None:
    """As after `kubectl apply -f crds/`: an end with an error is allowed, since somebody starts it again."""
    space.keys(user)
    space.request()
    proxy.disturb(429, "GET", r"/awsstsrequests\?limit=1", count=2)
    operator = launch(proxied)
    for _ in range(3):
        operator.start()
        eventually(lambda: bool(space.secret()) or not operator.alive, "credentials, or the operator's end")
        if operator.alive:
            break
        assert operator.end() == 1
        assert "the API server answered 429" in operator.said().splitlines()[-1]
    space.until_ready()


def test_no_answer_at_the_end(
    launch: Launch, proxy: ApiProxy, proxied: Path, sts: StrictSts, space: Workspace, user: User
) -> None:
    """SIGTERM while the write of the Secret hangs: it is waited for, but not for ever."""
    space.keys(user)
    write = proxy.disturb("hang", "PATCH", r"/secrets/reports\?", count=None)
    space.request()
    operator = launch(proxied)
    operator.start()
    eventually(lambda: write.struck, "the write")
    assert operator.stop() == 0
    proxy.clear()
    operator.start()
    space.until_ready()
    assert len(calls_of(sts, user)) <= 2
    assert Pod(space, sts).identity() == user.arn
