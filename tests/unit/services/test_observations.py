"""What a process remembers of the cluster."""

from typing import Any

import pytest

from awssts.domain import names
from awssts.domain.status import READY
from awssts.domain.target import Target
from awssts.domain.view import UNKNOWN
from awssts.services.observations import Memory, Observations, Standing
from tests.unit.builders import HOUR, KEY, NOW, OTHER_KEY, Json, condition, encoded, key_data, request, status, written

TARGET = ("team", "reports")
KEYS = ("team", "reports-iam")


@pytest.fixture
def seen() -> Observations:
    return Observations()


def secret(*, version: int = 10, uid: str = "uid-of-target", **annotations: str) -> Json:
    made = written(request())
    made["metadata"] |= {"resourceVersion": str(version), "uid": uid}
    made["metadata"]["annotations"] |= {f"{names.GROUP}/{name}": value for name, value in annotations.items()}
    return made


def see(seen: Observations, found: Json) -> Target | None:
    return seen.see_target(found["metadata"], found["data"])


def test_a_target_is_unknown_until_it_is_seen(seen: Observations) -> None:
    assert seen.target(TARGET) is UNKNOWN
    assert see(seen, secret()) is not None
    assert isinstance(seen.target(TARGET), Target)
    assert seen.targets() == {TARGET}


@pytest.mark.parametrize(
    ("second", "is_news"),
    [
        (secret(version=10), False),
        (secret(version=11), False),
        (secret(version=11, renewed="again"), True),
        (secret(version=9, renewed="again"), False),
        (secret(version=9, uid="uid-of-another"), True),
    ],
    ids=["the same", "newer, says the same", "newer, says another", "older", "another Secret of that name"],
)
def test_what_is_news(seen: Observations, second: Json, is_news: bool) -> None:
    see(seen, secret(version=10))
    assert (see(seen, second) is not None) is is_news


def test_altered_data_is_news(seen: Observations) -> None:
    see(seen, secret())
    altered = see(seen, secret(version=11) | {"data": encoded({"AWS_ACCESS_KEY_ID": ""})})
    assert altered is not None
    assert not altered.intact


def test_metadata_alone_does_not_mend_what_was_altered(seen: Observations) -> None:
    """A sweep lists metadata; that the data is not what was written was seen before."""
    found = secret()
    see(seen, found | {"data": {}})
    seen.see_target(found["metadata"])
    target = seen.target(TARGET)
    assert isinstance(target, Target)
    assert not target.intact


@pytest.mark.parametrize(("uid", "lost"), [(None, True), ("uid-of-target", True), ("uid-of-the-last", False)])
def test_a_deletion(seen: Observations, uid: str | None, lost: bool) -> None:
    """That of an earlier Secret of the name, told of late, is no deletion of this one."""
    see(seen, secret())
    assert (seen.lose_target(TARGET, uid) is not None) is lost
    assert (seen.target(TARGET) is UNKNOWN) is lost
    assert seen.lose_target(("team", "never-seen")) is None


# Labelled inputs.


def test_only_users_of_a_changed_secret_are_woken(seen: Observations) -> None:
    for name, used in (("reports", "reports-iam"), ("daily", "reports-iam"), ("web", "web-iam")):
        seen.note(request(name=name, credentialsSecretRef={"name": used}))
    assert seen.see_credentials(KEYS, key_data(KEY)) == {("team", "reports"), ("team", "daily")}
    assert seen.see_credentials(KEYS, key_data(KEY)) == set(), "nothing changed"
    assert seen.see_credentials(KEYS, key_data(OTHER_KEY)) == {("team", "reports"), ("team", "daily")}
    assert seen.see_credentials(KEYS, None) == {("team", "reports"), ("team", "daily")}


def test_a_request_that_went_or_uses_another_secret_is_not_woken(seen: Observations) -> None:
    seen.note(request(name="gone"))
    seen.note(request(name="moved"))
    seen.forget(("team", "gone"))
    seen.note(request(name="moved", credentialsSecretRef={"name": "other-iam"}))
    assert seen.see_credentials(KEYS, key_data()) == set()
    assert seen.see_credentials(("team", "other-iam"), key_data()) == {("team", "moved")}


def test_a_request_with_an_invalid_spec_uses_nothing(seen: Observations) -> None:
    seen.note(request())
    seen.note(request(raw={}))
    assert seen.see_credentials(KEYS, key_data()) == set()
    assert seen.key_digest(request(raw={})) is UNKNOWN


def test_the_digest_of_a_watched_key(seen: Observations) -> None:
    seen.note(request())
    assert seen.key_digest(request()) is UNKNOWN
    seen.see_credentials(KEYS, key_data(KEY))
    assert seen.key_digest(request()) == KEY.digest
    seen.see_credentials(KEYS, None)
    assert seen.key_digest(request()) == ""


def test_a_key_that_nobody_uses_is_forgotten_with_its_secret(seen: Observations) -> None:
    seen.see_credentials(KEYS, key_data(KEY))
    assert seen.see_credentials(KEYS, None) == set()
    assert not seen.watches_credentials(KEYS)


def test_requests_are_known_until_they_are_forgotten(seen: Observations) -> None:
    assert not seen.knows(TARGET)
    seen.note(request())
    assert seen.knows(TARGET)
    seen.forget(TARGET)
    seen.forget(TARGET)
    assert not seen.knows(TARGET)


def test_a_request_stands_as_its_status_says_before_it_was_worked_on(seen: Observations) -> None:
    seen.memory(("team", "listed"))
    told = status(condition(READY), expiration=NOW + HOUR, next_renewal=NOW)
    seen.note(request(status=told))
    held = Standing(ready=True, expiration=(NOW + HOUR).timestamp(), renewal=NOW.timestamp())
    assert seen.standings() == [(TARGET, held)], "of one that was only listed nothing is told"
    seen.memory(TARGET).standing = Standing()
    seen.note(request(status=told))
    assert seen.standings() == [(TARGET, Standing())], "what was done since counts"


def test_a_scrape_in_another_thread_minds_no_new_request(seen: Observations, monkeypatch: pytest.MonkeyPatch) -> None:
    class Growing(Memory):
        @property
        def standing(self) -> Standing:  # type: ignore[override]
            seen.note(request(name=f"made-meanwhile-{len(seen.requests())}"))
            return Standing()

        @standing.setter
        def standing(self, _: Standing) -> None: ...

    for name in ("reports", "daily"):
        monkeypatch.setitem(seen._memories, ("team", name), Growing())  # noqa: SLF001 - as a thread would see it
    assert {name for _, name in dict(seen.standings())} == {"reports", "daily"}


def test_no_secret_is_kept(seen: Observations) -> None:
    seen.see_credentials(KEYS, key_data(KEY))
    see(seen, secret())
    held: list[Any] = [vars(seen)]
    text = repr(held)
    for value in (KEY.secret_access_key, "made-up-secret/1", "made-up+token/1==", *key_data().values()):
        assert value not in text
