"""Gathers what policies look at from what the cluster holds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from awssts.domain import keys, names
from awssts.domain.errors import AwsstsError, InvalidSpec
from awssts.domain.judgement import device
from awssts.domain.policy import Authentication, Facts, History, NamespaceFacts, RequestFacts, SecretFacts
from awssts.domain.policy.facts import NO_WEBHOOK
from awssts.domain.policy.schema.resource import RoleField
from awssts.domain.request import Request
from awssts.domain.resources import CredentialsSecretRef, Role
from awssts.domain.target import Target

ATTRIBUTES = "attributes"  # key of the credentials Secret


def gather(
    request: Request,
    namespace: NamespaceFacts,
    key_secret: Mapping[str, Any] | None,
    target: Target | None,
    authentication: Authentication | str | None,
    now: datetime,
) -> Facts:
    """Return the facts; ``key_secret`` is the credentials Secret, None where there is none; for who applied the
    request there can be a text that says why that is not known.

    Raises:
        InvalidSpec: the request can't be understood.
        SecretInvalid: the attributes in the Secret are not text.
    """
    spec = request.spec
    if isinstance(spec, InvalidSpec):
        raise spec
    key_digest = _key_digest(key_secret, spec.credentials_secret_ref)
    return Facts(
        request=RequestFacts(
            name=request.identity.name,
            namespace=request.identity.namespace,
            labels=request.labels,
            annotations=request.annotations,
            duration=spec.duration,
            role_arn=spec.role.arn if spec.role else None,
            role_fields=_role_fields(spec.role),
            device=device(spec),
        ),
        namespace=namespace,
        now=now,
        secret=_secret(key_secret, has_keys=bool(key_digest)),
        authentication=None if isinstance(authentication, str) else authentication,
        doubt=authentication if isinstance(authentication, str) else NO_WEBHOOK,
        history=History(
            last_issuance=target.issued_at if target else None,
            key_changed=target is not None and bool(key_digest) and target.key_digest != key_digest,
            failures=request.status.failures or 0,
        ),
    )


def _role_fields(role: Role | None) -> tuple[str, ...]:
    given = role.model_dump(by_alias=True, exclude_defaults=True) if role else {}
    return tuple(field for field in RoleField if field in given)


def _key_digest(secret: Mapping[str, Any] | None, reference: CredentialsSecretRef) -> str:
    try:
        return keys.read((secret or {}).get("data") or {}, reference).digest
    except AwsstsError:
        return ""


def _secret(secret: Mapping[str, Any] | None, *, has_keys: bool) -> SecretFacts | None:
    if secret is None:
        return None
    metadata, data = secret["metadata"], secret.get("data") or {}
    return SecretFacts(
        name=metadata["name"],
        keys=has_keys,
        labelled=(metadata.get("labels") or {}).get(names.TYPE_LABEL) == names.CREDENTIALS,
        annotations=metadata.get("annotations") or {},
        attributes=keys.text(data[ATTRIBUTES], metadata["name"], ATTRIBUTES) if ATTRIBUTES in data else None,
    )
