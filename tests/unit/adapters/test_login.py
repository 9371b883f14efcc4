"""The gateway's client against servers that lie, drip and hang. What it does with good ones: entry/test_laptop.py."""

import asyncio
from datetime import timedelta

import pytest

from awssts.adapters import login
from awssts.adapters.login import Gateway, GatewayError, endpoint
from awssts.domain.errors import AwsstsError
from tests.unit.adapters.rest_server import SECRET_BODY, RestServer

FORM = {"username": "ada", "password": "correct horse battery"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "TIMEOUT", 0.5)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        ("hang", "no answer in 0 s"),
        ("slow", "no answer in 0 s"),
        ("close", "RemoteDisconnected"),
        ("half", ""),
        ("garbage", "BadStatusLine"),
        ("telnet", ""),
        ("cut", "did not answer with credentials"),
        ("endless", "did not answer with credentials"),
        ("headers", ""),
        ("line", "LineTooLong"),
        ("deep", "did not answer with credentials"),
        ("latin", "did not answer with credentials"),
        ("empty", "did not answer with credentials"),
        ("bomb", "did not answer with credentials"),
        ("broken", ""),
        ("unsaid", "answered 503: no reason"),
        ("redirect/302", "redirects"),
        ("redirect/308", "redirects"),
    ],
)
async def test_no_lie_is_believed(lie: str, told: str) -> None:
    async with RestServer() as server:
        gateway = Gateway(server.url(f"/{lie}"))
        with pytest.raises(GatewayError) as raised:
            await asyncio.to_thread(gateway.login, FORM, timedelta(hours=1))
        assert told in raised.value.message
        assert SECRET_BODY not in raised.value.message
        assert FORM["password"] not in raised.value.message
        assert sum(server.hits.values()) == 1


async def test_no_proxy_sees_a_password_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    async with RestServer() as server, RestServer() as proxy:
        monkeypatch.delenv("NO_PROXY")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("http_proxy", proxy.url(""))
        with pytest.raises(GatewayError, match="did not answer with credentials"):
            await asyncio.to_thread(Gateway(server.url("/empty")).login, FORM, timedelta(hours=1))
        assert (sum(server.hits.values()), sum(proxy.hits.values())) == (1, 0)


@pytest.mark.parametrize("port", [0, 1])
def test_nobody_is_there(port: int) -> None:
    with pytest.raises(AwsstsError, match="can't be reached"):
        Gateway(endpoint(f"http://127.0.0.1:{port}")).login(FORM, timedelta(hours=1))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://sts.example.org", "https://sts.example.org/actuator/awsSts"),
        ("https://sts.example.org/", "https://sts.example.org/actuator/awsSts"),
        ("https://sso.example.org/cas/", "https://sso.example.org/cas/actuator/awsSts"),
        ("https://sso.example.org/cas/actuator/awsSts", "https://sso.example.org/cas/actuator/awsSts"),
        ("http://localhost:8080", "http://localhost:8080/actuator/awsSts"),
        ("http://[::1]:8080", "http://[::1]:8080/actuator/awsSts"),
    ],
)
def test_the_endpoint(given: str, url: str) -> None:
    assert endpoint(given) == url


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        "http://sts.example.org",
        "https://",
        "https://a@b",
        "https://b?c",
        "https://b#c",
        "https://[x",
        "https://a]",
    ],
)
def test_no_endpoint(given: str) -> None:
    with pytest.raises(GatewayError):
        endpoint(given)
