"""The hierarchy of errors: one class for each condition reason."""

import inspect
import re
from itertools import pairwise

import pytest

from awssts.domain import errors
from awssts.domain.errors import AwsstsError, InvalidSpec, Retry

CLASSES = [
    found
    for found in vars(errors).values()
    if inspect.isclass(found) and issubclass(found, AwsstsError) and found is not AwsstsError
]


def made(kind: type[AwsstsError]) -> AwsstsError:
    return kind(["spec.duration: wrong"]) if kind is InvalidSpec else kind("what is wrong")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_says_what_it_stands_for(kind: type[AwsstsError]) -> None:
    error = made(kind)
    assert error.reason == kind.__name__
    assert re.fullmatch(r"[A-Z][A-Za-z]{0,62}", error.reason), "a condition reason is one word in CamelCase"
    assert isinstance(error.retry, Retry)
    assert error.message == str(error)
    assert kind.__doc__
    assert kind.__doc__.rstrip().endswith(".")


def test_no_two_are_described_alike() -> None:
    texts = sorted(str(kind.__doc__) for kind in CLASSES)
    assert all(one != other for one, other in pairwise(texts))
    assert len({made(kind).reason for kind in CLASSES}) == len(CLASSES)


def test_an_invalid_spec_keeps_its_problems_apart() -> None:
    error = InvalidSpec(["spec.duration: wrong", "spec.region: wrong"])
    assert error.message == "spec.duration: wrong; spec.region: wrong"
    assert len(error.problems) == 2
