"""Answers of the query protocol: XML in STS's namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from testbed.sts.errors import StsError
    from testbed.sts.sessions import Session

    Elements = Mapping[str, "str | int | Elements"]

VERSION = "2011-06-15"
NAMESPACE = f"https://sts.amazonaws.com/doc/{VERSION}/"


def success(operation: str, result: Elements, request_id: str) -> bytes:
    body = {f"{operation}Result": result, "ResponseMetadata": {"RequestId": request_id}}
    return _document(f"{operation}Response", body)


def failure(error: StsError, request_id: str) -> bytes:
    body = {"Type": error.type, "Code": error.code, "Message": error.message}
    return _document("ErrorResponse", {"Error": body, "RequestId": request_id})


def credentials(session: Session) -> Elements:
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": session.session_token,
        "Expiration": timestamp(session.expiration),
    }


def timestamp(when: datetime) -> str:
    """Whole seconds, UTC."""
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def _document(root: str, elements: Elements) -> bytes:
    return f'<{root} xmlns="{NAMESPACE}">{_render(elements)}</{root}>\n'.encode()


def _render(elements: Elements) -> str:
    return "".join(
        f"<{name}>{escape(str(value)) if isinstance(value, (str, int)) else _render(value)}</{name}>"
        for name, value in elements.items()
    )
