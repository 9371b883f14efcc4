"""When a certificate is made, announced and served."""

from datetime import UTC, datetime, timedelta

import pytest

from awssts.domain.rotation import EARLIER, LIFETIME, SETTLE, Certificate, Step, renewal, step

DAY = timedelta(days=1)
MADE = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
WANTED = frozenset({"awssts-webhook.awssts-system.svc"})


def made(when: datetime = MADE, names: frozenset[str] = WANTED) -> Certificate:
    return Certificate(names, when - EARLIER, when - EARLIER + LIFETIME)


DUE = renewal(made())
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("current", "announced", "now", "expected"),
    [
        pytest.param(None, None, MADE, Step.ISSUE, id="nothing there"),
        pytest.param(made(), None, MADE, Step.KEEP, id="fresh"),
        pytest.param(made(), None, DUE - SECOND, Step.KEEP, id="before two thirds"),
        pytest.param(made(), None, DUE, Step.ANNOUNCE, id="two thirds"),
        pytest.param(made(), None, MADE + LIFETIME, Step.ISSUE, id="slept through"),
        pytest.param(made(), made(DUE), DUE, Step.KEEP, id="announced"),
        pytest.param(made(), made(DUE), DUE + SETTLE - SECOND, Step.KEEP, id="not settled yet"),
        pytest.param(made(), made(DUE), DUE + SETTLE, Step.PROMOTE, id="settled"),
        pytest.param(made(), made(DUE), MADE + LIFETIME, Step.PROMOTE, id="slept through, announced"),
        pytest.param(None, made(DUE), DUE, Step.PROMOTE, id="the served one was spoilt"),
        pytest.param(made(), made(DUE, frozenset({"other"})), DUE, Step.ANNOUNCE, id="announced for other names"),
        pytest.param(made(names=frozenset({"other"})), None, MADE, Step.ISSUE, id="other names"),
        pytest.param(made(names=WANTED | {"other"}), None, MADE, Step.KEEP, id="more names"),
        pytest.param(made(MADE + DAY), None, MADE, Step.KEEP, id="a clock that is behind"),
        pytest.param(made(), made(DUE), DUE + LIFETIME, Step.ISSUE, id="both expired"),
    ],
)
def test_step(current: Certificate | None, announced: Certificate | None, now: datetime, expected: Step) -> None:
    assert step(current, announced, WANTED, now) is expected


def test_two_thirds_leave_four_months() -> None:
    assert made().not_after - DUE > 120 * DAY
