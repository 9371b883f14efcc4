"""The target Secret as it is written: credentials, whose they are, and what they were made from."""

from datetime import datetime
from typing import Any

from awssts.domain import judgement, names, rendering
from awssts.domain.keys import Credentials
from awssts.domain.status import timestamp
from awssts.domain.target import Target, content_digest, inputs_digest, layout_digest, life_digest, owned
from awssts.domain.view import View


def fresh(
    view: View,
    credentials: Credentials,
    key_digest: str,
    issued_at: datetime,
    session_expiration: datetime | None = None,
) -> dict[str, Any]:
    """Return the Secret for new credentials; with the end of the MFA session that a role was assumed from."""
    origin = {
        names.ISSUED_AT: timestamp(issued_at),
        names.INPUTS_DIGEST: inputs_digest(view.spec),
        names.KEY_DIGEST: key_digest,
        names.RENEWED: view.request.renew,
        names.POLICY_GUARD: view.guard,
        names.POLICY_OUTCOME: judgement.encoded(view.outcome) if view.outcome else "",
        names.SESSION_EXPIRATION: timestamp(session_expiration) if session_expiration else "",
    }
    return _secret(view, credentials, origin)


def rewritten(view: View, credentials: Credentials, target: Target, version: str) -> dict[str, Any]:
    """Return the Secret for the credentials that are in it, in another layout.

    It is refused with 409 where the Secret is of another resource version by now: another process may have put newer
    credentials into it.
    """
    origin = {
        names.ISSUED_AT: timestamp(target.issued_at) if target.issued_at else "",
        names.INPUTS_DIGEST: target.inputs_digest,
        names.KEY_DIGEST: target.key_digest,
        names.RENEWED: target.renewed,
        names.POLICY_GUARD: target.policy_guard,
        names.POLICY_OUTCOME: target.policy_outcome,
        names.SESSION_EXPIRATION: timestamp(target.session_expiration) if target.session_expiration else "",
    }
    secret = _secret(view, credentials, origin)
    secret["metadata"]["resourceVersion"] = version
    return secret


def _secret(view: View, credentials: Credentials, origin: dict[str, str]) -> dict[str, Any]:
    request, spec = view.request, view.spec
    template = spec.target.template
    data = rendering.encode(rendering.render(credentials, spec.target, view.target_region))
    annotations = origin | {
        names.REQUEST: request.identity.name,
        names.ACCESS_KEY_ID: credentials.access_key_id,
        names.CREDENTIALS_DIGEST: credentials.digest,
        names.EXPIRATION: timestamp(credentials.expiration),
        names.CONTENT_DIGEST: content_digest(data, data),
        names.CONTENT_KEYS: ",".join(data),
        names.LAYOUT_DIGEST: layout_digest(spec, view.target_region),
    }
    annotations[names.LIFE_DIGEST] = life_digest(annotations)
    metadata: dict[str, Any] = {
        "namespace": request.identity.namespace,
        "name": request.target_name,
        "labels": template.labels | {names.TYPE_LABEL: names.TARGET},
        "annotations": template.annotations | {key: value for key, value in annotations.items() if value},
    }
    if isinstance(view.target, Target):
        metadata["uid"] = view.target.uid  # refused with 409 if it is another Secret by now
    if owned(spec):
        metadata["ownerReferences"] = [_owner(view)]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": template.type or "Opaque",
        "metadata": metadata,
        "data": data,
    }


def _owner(view: View) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": view.request.identity.name,
        "uid": view.request.identity.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
