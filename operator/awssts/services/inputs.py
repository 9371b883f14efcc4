"""The keys that a request brings or is lent, and the request as policies have it carried out."""

from dataclasses import replace

from awssts.domain import judgement, keys
from awssts.domain.errors import AwsstsError, SecretNotFound
from awssts.domain.judgement import Judgement
from awssts.domain.keys import KeyPair
from awssts.domain.request import Request
from awssts.domain.resources import CredentialsSecretRef, Spec
from awssts.domain.view import Unknown, View
from awssts.services.ports import Json


def own_key(view: View, found: Json | None) -> KeyPair | AwsstsError:
    """Return the key in the request's credentials Secret, or why there is none."""
    reference = view.spec.credentials_secret_ref
    if found is None:
        return SecretNotFound(
            f"there is no Secret {reference.name!r} in namespace {view.request.identity.namespace!r}: create it "
            "with the keys aws_access_key_id and aws_secret_access_key, or mend credentialsSecretRef.name"
        )
    try:
        return keys.read(found.get("data") or {}, reference)
    except AwsstsError as error:
        return error


def lent_key(name: str, found: Json | None) -> KeyPair | AwsstsError:
    """Return the administrator's key."""
    if found is None:
        return SecretNotFound("the Secret that the policy's awsCredentials name is not there: ask the administrator")
    try:
        return keys.read(found.get("data") or {}, CredentialsSecretRef(name=name))
    except AwsstsError:
        pass  # its text is for the administrator only
    return SecretNotFound("the Secret that the policy's awsCredentials name holds no key: ask the administrator")


def carried_out(view: View, request: Request, found: Judgement | Unknown | None) -> View:
    """Return the view with the request as the policies' outcome has it carried out."""
    if not isinstance(found, Judgement) or not isinstance(request.spec, Spec):
        return replace(view, request=request, judged=found)
    changed = replace(request, spec=judgement.effective(request.spec, found.outcome))
    return replace(view, request=changed, judged=found)
