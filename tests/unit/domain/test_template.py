"""Templates of a user's own keys."""

import pytest

from awssts.domain import template

VALUES = {name: f"<{name}>" for name in template.PLACEHOLDERS}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("", ""),
        ("plain", "plain"),
        ("${accessKeyId}:${secretAccessKey}", "<accessKeyId>:<secretAccessKey>"),
        ("${region}${region}", "<region><region>"),
        ("$HOME", "$HOME"),
        ("$$HOME", "$HOME"),
        ("$${region}", "${region}"),
        ("$$${region}", "$<region>"),
        ("100 $", "100 $"),
        ("{region}", "{region}"),
    ],
)
def test_fill(text: str, filled: str) -> None:
    assert template.check(text) == text
    assert template.fill(text, VALUES) == filled


def test_values_are_not_templates_themselves() -> None:
    assert template.fill("${region}", VALUES | {"region": "${sessionToken}"}) == "${sessionToken}"


@pytest.mark.parametrize("text", ["${}", "${password}", "${ region }", "${REGION}", "a ${sessionToken} b ${x}"])
def test_an_unknown_placeholder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no placeholder"):
        template.check(text)
