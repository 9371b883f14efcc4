"""The gateway's interface as OpenAPI, for programs that make clients and tests of it."""

from typing import Any, Final

from awssts import __version__
from awssts.domain.gateway import FORM, JSON, PATHS, TEXT

_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "username": {"type": "string", "minLength": 1, "maxLength": 256, "description": "Who logs in."},
    "password": {"type": "string", "minLength": 1, "maxLength": 1024, "format": "password"},
    "duration": {
        "type": "string",
        "maxLength": 16,
        "description": "How long the credentials shall live: PT1H, 1h30m or seconds; 15m to 36h. Less counts as 15m.",
    },
    "token": {"type": "string", "maxLength": 64, "description": "The MFA code: six digits."},
    "serialNumber": {
        "type": "string",
        "maxLength": 256,
        "description": "The MFA device; not needed where the user's Secret names it.",
    },
    "roleArn": {"type": "string", "maxLength": 2048, "description": "The role to assume."},
    "profile": {"type": "string", "maxLength": 512, "description": "Taken, for CAS's sake, and without effect."},
    "authn_method": {"type": "string", "maxLength": 512, "description": "An MFA provider that is asked for."},
    "entityId": {"type": "string", "maxLength": 512, "description": "The id of the calling party."},
}
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["reason", "message"],
    "properties": {
        "reason": {"type": "string", "description": "Why, as one word for programs."},
        "message": {"type": "string", "description": "Why, for people."},
        "needed": {"type": "array", "items": {"type": "string"}, "description": "Parameters that are missing."},
        "serialNumber": {"type": "string", "description": "The device whose code is needed."},
    },
}
_CREDENTIALS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "Region"],
    "properties": {
        "Version": {"const": 1},
        "Expiration": {"type": "string", "format": "date-time"},
        **{
            name: {"type": "string", "minLength": 1}
            for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Region")
        },
    },
}
_REFUSALS: Final = {
    400: "A parameter can't be what it is, or STS does not take it",
    401: "Authentication failed, a code is needed, or the user may not have this",
    403: "Refused by a policy or by AWS",
    408: "The body did not arrive in time",
    413: "The body is too large",
    415: "The body is no form",
    429: "Too many attempts",
    500: "A fault of the gateway",
    503: "Not available now",
    504: "No answer in time",
}


def document() -> dict[str, Any]:
    """Return the description."""
    post = {
        "summary": "Get temporary AWS credentials",
        "description": "Parameters come in the form or in the query. A password belongs into the form.",
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": {**schema}}
            for name, schema in _PARAMETERS.items()
        ],
        "requestBody": {
            "required": False,
            "content": {FORM: {"schema": {"type": "object", "properties": _PARAMETERS}}},
        },
        "responses": {
            "200": _answer("An AWS credentials file; in JSON what credential_process answers", "Credentials"),
            **{str(status): _answer(text, "Error") for status, text in _REFUSALS.items()},
        },
    }
    probes = {path: {"get": _probe(text)} for path, text in (("/healthz", "It runs"), ("/readyz", "It can serve"))}
    return {
        "openapi": "3.1.0",
        "info": {"title": "awssts gateway", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": {
            **{path: {"post": {**post, "operationId": f"awsSts{index or ''}"}} for index, path in enumerate(PATHS)},
            **probes,
        },
        "components": {"schemas": {"Credentials": _CREDENTIALS, "Error": _ERROR}},
    }


def _answer(text: str, schema: str) -> dict[str, Any]:
    content = {TEXT: {"schema": {"type": "string"}}, JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": text, "content": content}


def _probe(text: str) -> dict[str, Any]:
    said = {TEXT: {"schema": {"type": "string"}}}
    return {
        "summary": text,
        "responses": {
            "200": {"description": text, "content": said},
            "503": {"description": "It can't", "content": said},
        },
    }
