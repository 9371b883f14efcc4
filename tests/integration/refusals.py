"""What AWS answers when it refuses, for the tests of the strict STS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = "123456789012"
WRONG_CODE = "MultiFactorAuthentication failed with invalid MFA one time pass code"
INVALID_TOKEN = "The security token included in the request is invalid."


def refusal(call: Callable[..., Any], *arguments: Any, **parameters: Any) -> tuple[str, int, str]:
    """The error code, the HTTP status and the message."""
    with pytest.raises(ClientError) as refused:
        call(*arguments, **parameters)
    error, answer = refused.value.response["Error"], refused.value.response["ResponseMetadata"]
    return error["Code"], answer["HTTPStatusCode"], error["Message"]
