"""TOTP as AWS has it: the vectors of RFC 6238, every way a seed is written down, and which step may be used."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awssts.domain import totp

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # 20 bytes
UNEVEN = base64.b32encode(b"seventeen bytes!!").decode()  # needs padding
BEGIN = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)  # of a step
THIS = totp.step_at(BEGIN)
SECOND = timedelta(seconds=1)

# RFC 6238, appendix B: the last six of its eight digits. Each algorithm has a seed as long as its digest.
SEEDS = {"SHA1": b"1234567890" * 2, "SHA256": b"1234567890" * 3 + b"12", "SHA512": b"1234567890" * 6 + b"1234"}
VECTORS = [
    (59, "287082", "119246", "693936"),
    (1111111109, "081804", "084774", "091201"),
    (1111111111, "050471", "062674", "943326"),
    (1234567890, "005924", "819424", "441116"),
    (2000000000, "279037", "698825", "618901"),
    (20000000000, "353130", "737706", "863826"),
]


def uri(**query: str) -> str:
    parameters = "&".join(f"{name}={value}" for name, value in query.items())
    return f"otpauth://totp/Amazon%20Web%20Services:reports@example?{parameters}"


@pytest.mark.parametrize(("seconds", "sha1", "sha256", "sha512"), VECTORS)
def test_the_vectors_of_the_rfc(seconds: int, sha1: str, sha256: str, sha512: str) -> None:
    step = totp.step_at(datetime.fromtimestamp(seconds, UTC))
    codes = [totp.Seed(base64.b32encode(raw).decode(), name).code(step) for name, raw in SEEDS.items()]
    assert codes == [sha1, sha256, sha512]


@pytest.mark.parametrize(
    "written",
    [
        SEED,
        SEED.lower(),
        "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP",
        "jbsw-y3dp-ehpk-3pxp-jbsw-y3dp-ehpk-3pxp",
        f"  {SEED[:16]}\n{SEED[16:]}\t",
        uri(secret=SEED),
        uri(secret=SEED, issuer="Amazon"),
        uri(secret=SEED, digits="6", period="30", algorithm="SHA1"),
        uri(secret=SEED.lower()),
        uri(secret="jbsw+y3dp+ehpk+3pxp%20jbsw%20y3dp%20ehpk%203pxp"),
    ],
)
def test_a_seed_as_people_have_it(written: str) -> None:
    assert totp.read(written) == totp.Seed(SEED)


@pytest.mark.parametrize("written", [UNEVEN, UNEVEN.rstrip("="), UNEVEN.lower().rstrip("="), f"{UNEVEN[:-1]} ="])
def test_padding_may_be_there_or_not(written: str) -> None:
    assert UNEVEN.endswith("=")
    assert totp.read(written) == totp.Seed(UNEVEN)


def test_padding_in_a_uri() -> None:
    assert totp.read(uri(secret=UNEVEN.replace("=", "%3D"))) == totp.Seed(UNEVEN)


@pytest.mark.parametrize(
    ("named", "algorithm"),
    [("SHA1", "SHA1"), ("sha256", "SHA256"), ("SHA256", "SHA256"), ("SHA-512", "SHA512"), ("SHA512", "SHA512")],
)
def test_the_algorithm_is_in_the_uri(named: str, algorithm: str) -> None:
    assert totp.read(uri(secret=SEED, algorithm=named)) == totp.Seed(SEED, algorithm)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("", "neither base32 nor"),
        ("======", "neither base32 nor"),
        ("it is 189 there!", "neither base32 nor"),
        (SEED + "A", "neither base32 nor"),  # no base32 is 33 long
        ("JBSWY3DPÉHPK3PXPJBSWY3DPEHPK3PXP", "neither base32 nor"),
        ("https://example.com/qr", "neither base32 nor"),
        ("JBSWY3DPEHPK3PXP", "too short"),  # the one of all tutorials
        (uri(secret="JBSWY3DPEHPK3PXP"), "too short"),
        (uri(issuer="Amazon"), "secret"),
        (uri(secret=""), "secret"),
        (f"otpauth://hotp/reports?secret={SEED}&counter=1", "type totp"),
        (uri(secret=SEED, digits="8"), "6 digits"),
        (uri(secret=SEED, period="60"), "30 s"),
        (uri(secret=SEED, algorithm="MD5"), "SHA1, SHA256, SHA512"),
        (f"otpauth://[{SEED}]/?secret={SEED}", "otpauth"),
    ],
)
def test_what_is_no_seed(written: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        totp.read(written)
    assert SEED not in str(refused.value)
    assert "JBSWY3DP" not in str(refused.value)


@given(st.text() | st.text().map(lambda text: f"otpauth://{text}") | st.text().map(lambda text: uri(secret=text)))
def test_whatever_is_in_the_secret(text: str) -> None:
    """It is a seed that gives codes, or a ValueError that does not repeat it."""
    try:
        seed = totp.read(text)
    except ValueError as error:
        told = str(error)
        assert len(told) < 150
        assert len(text) < 12 or text not in told
    else:
        assert seed.code(THIS).isdecimal()


def test_a_seed_is_not_shown() -> None:
    assert SEED not in repr(totp.read(SEED))


# Which step.


@pytest.mark.parametrize(
    ("second", "since", "used", "expected"),
    [
        pytest.param(0, -60, 0, 0, id="this one, from its first moment"),
        pytest.param(15, -60, 0, 0, id="this one, in the middle"),
        pytest.param(26, -60, 0, 0, id="this one, with 4 s left"),
        pytest.param(27, -60, 0, 0, id="this one, with 3 s left"),
        pytest.param(27.5, -60, 0, 1, id="the next one: less than 3 s are left"),
        pytest.param(15, 5, 0, 1, id="the next one: this had begun when we took over"),
        pytest.param(15, -1, 0, 0, id="this one: it began after we took over"),
        pytest.param(0, 0, 0, 1, id="the next one: this began in the moment we took over"),
        pytest.param(28, 5, 0, 1, id="the next one, for both reasons, not the one after"),
        pytest.param(15, -60, THIS, 1, id="the next one: this is used"),
        pytest.param(15, -60, THIS - 1, 0, id="this one: the one before is used"),
        pytest.param(15, -60, THIS + 1, 2, id="the one after next: a clock ahead of ours has used the next"),
        pytest.param(28, -60, THIS, 1, id="the next one, whole"),
    ],
)
def test_the_step_that_may_be_used(second: float, since: float, used: int, expected: int) -> None:
    step = totp.usable_step(BEGIN + second * SECOND, BEGIN + since * SECOND, used)
    assert step - THIS == expected


moments = st.floats(0, 10**9).map(lambda seconds: BEGIN + seconds * SECOND)


@given(now=moments, running=st.timedeltas(timedelta(), timedelta(days=30)), back=st.integers(0, 10))
def test_the_promises_of_a_step(now: datetime, running: timedelta, back: int) -> None:
    since, used = now - running, totp.step_at(now) - back
    step = totp.usable_step(now, since, used)
    assert step > used
    assert totp.begin(step) > since
    assert totp.begin(step + 1) - max(now, totp.begin(step)) >= 3 * SECOND
    assert totp.begin(step) - now <= 33 * SECOND
    assert step >= totp.step_at(now)


@given(now=moments, ahead=st.integers(1, 3))
def test_after_a_clock_that_was_ahead(now: datetime, ahead: int) -> None:
    """A step more for each that it was ahead: 45 s are two."""
    step = totp.usable_step(now, now - timedelta(hours=1), totp.step_at(now) + ahead)
    assert step == totp.step_at(now) + ahead + 1


@given(moments)
def test_a_moment_is_in_its_step(moment: datetime) -> None:
    begin = totp.begin(totp.step_at(moment))
    assert begin <= moment < begin + 30 * SECOND
