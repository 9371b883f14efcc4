"""Durations as people write them."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from awssts.domain import duration

# Texts near the forms, and any others.
texts = st.one_of(
    st.text(max_size=24),
    st.text("0123456789hmsHMSPT", max_size=12),
    st.from_regex(duration.PATTERN.removesuffix("$") + r"\n?", fullmatch=True),
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("12h", 43_200),
        ("1h30m", 5_400),
        ("90m", 5_400),
        ("45s", 45),
        ("1h1s", 3_601),
        ("1h2m3s", 3_723),
        ("PT12H", 43_200),
        ("PT1H30M", 5_400),
        ("PT36H0M0S", 129_600),
        ("3600", 3_600),
        ("0900", 900),
        ("0s", 0),
        (3600, 3_600),
        (0, 0),
    ],
)
def test_forms(written: str | int, seconds: int) -> None:
    assert duration.parse(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "", "PT", "h", "1d", "P1D", "PT1D", "12 h", " 12h", "12h ", "12h\n", "900\n", "-1h", "-900", -900, "1.5h",
        1.5, "30m1h", "1h1h", "12H", "pt12h", "PT12h", "1h PT1H", "1e3", "0x10", "١٢h", "²", "12ｈ", True, None,
        "1234567h", "1234567890",
    ],
)  # fmt: skip
def test_what_is_no_duration(written: str | int) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: write a duration like 12h, 1h30m, PT12H or a number"):
        duration.parse(written)


@pytest.mark.parametrize(
    ("seconds", "text"), [(43_200, "12h"), (5_400, "1h30m"), (45, "45s"), (3_723, "1h2m3s"), (0, "0s")]
)
def test_the_shortest_way_to_write_it(seconds: int, text: str) -> None:
    assert duration.written(seconds) == text


@given(st.integers(0, 3_600_000_000 - 1))
def test_what_is_written_is_read_again(seconds: int) -> None:
    assert duration.parse(duration.written(seconds)) == seconds


@given(texts)
@example("12h\n")
@example("PT")
def test_python_and_the_crd_take_the_same_texts(text: str) -> None:
    """The API server's ``matches`` is RE2, whose ``$`` is the end only: ``\\Z`` in Python."""
    rule = re.compile(duration.PATTERN.removesuffix("$") + r"\Z")
    crd_takes_it = text not in {"", "PT"} and rule.match(text) is not None
    try:
        duration.parse(text)
    except ValueError:
        assert not crd_takes_it
    else:
        assert crd_takes_it


@pytest.mark.parametrize(
    ("written", "taken"), [("14m59s", False), ("15m", True), ("36h", True), ("36h1s", False), (899, False), (900, True)]
)
def test_bounds_are_inclusive(written: str | int, taken: bool) -> None:
    check = duration.within(900, 129_600)
    if taken:
        assert check(written) == duration.parse(written)
    else:
        with pytest.raises(ValueError, match=f"^{written} is out of range: must be at least 15m and at most 36h$"):
            check(written)


def test_without_an_upper_bound() -> None:
    assert duration.within(1)("1000h") == 3_600_000
    with pytest.raises(ValueError, match=r"^0s is out of range: must be at least 1s$"):
        duration.within(1)("0s")
