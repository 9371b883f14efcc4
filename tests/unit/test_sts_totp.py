"""Codes of MFA devices, and that each is good once."""

import base64

import pytest

from testbed.sts.totp import STEP, BurntCodes, Seed

SERIAL = "arn:aws:iam::123456789012:mfa/alice"
NOW = 1_700_000_010.0  # a third into a step
SEED = Seed("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")


@pytest.mark.parametrize(
    ("seconds", "algorithm", "code"),
    [
        (59, "SHA1", "287082"),
        (59, "SHA256", "119246"),
        (59, "SHA512", "693936"),
        (1111111109, "SHA1", "081804"),
        (1111111109, "SHA256", "084774"),
        (1111111109, "SHA512", "091201"),
        (20000000000, "SHA1", "353130"),
        (20000000000, "SHA256", "737706"),
        (20000000000, "SHA512", "863826"),
    ],
)
def test_codes_are_those_of_rfc_6238(seconds: int, algorithm: str, code: str) -> None:
    """Appendix B, whose codes have eight digits: six of them are their end."""
    length = {"SHA1": 20, "SHA256": 32, "SHA512": 64}[algorithm]
    seed = base64.b32encode((b"1234567890" * 7)[:length]).decode().rstrip("=")
    assert Seed(seed, algorithm).code(seconds // STEP) == code


@pytest.mark.parametrize(("steps_off", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_taken_one_step_around_the_current(steps_off: int, taken: bool) -> None:
    code = SEED.code(int(NOW // STEP) + steps_off)
    assert BurntCodes().spend(SERIAL, SEED, code, NOW) is taken


def test_a_code_is_good_once_on_its_device() -> None:
    codes = BurntCodes()
    code = SEED.code(int(NOW // STEP))
    assert codes.spend(SERIAL, SEED, code, NOW)
    assert not codes.spend(SERIAL, SEED, code, NOW)
    assert not codes.spend(SERIAL, SEED, code, NOW + STEP)
    assert codes.spend(SERIAL + "2", SEED, code, NOW)


def test_a_wrong_code_burns_nothing() -> None:
    codes = BurntCodes()
    right = SEED.code(int(NOW // STEP))
    assert not codes.spend(SERIAL, SEED, "000000" if right != "000000" else "111111", NOW)
    assert codes.spend(SERIAL, SEED, right, NOW)


def test_the_next_step_is_good_after_the_last_one() -> None:
    codes = BurntCodes()
    for step in range(50):
        now = NOW + step * STEP
        assert codes.spend(SERIAL, SEED, SEED.code(int(now // STEP)), now)
