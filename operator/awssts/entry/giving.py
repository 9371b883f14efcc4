"""``awssts mfa``: gives a person's MFA code to a request, and tells what came of it."""

import click

from awssts.adapters.kubectl import Json, Kubectl
from awssts.domain import names, tokencode
from awssts.domain.overview import Overview, read
from awssts.entry.following import REPEATED, Say, follow, found

PATIENCE = 30  # seconds for the operator to take the code, and for AWS to answer


class Refused(click.ClickException):
    """The code was tried, and another is wanted."""

    exit_code = 3


class Unanswered(click.ClickException):
    """Nobody took the code, or nothing came of it in time."""

    exit_code = 4


def checked(code: str) -> str:
    """Return the code as AWS takes it; apps show ``123 456``.

    Raises:
        BadParameter: it is none.
    """
    if (found := tokencode.digits(code)) is None:
        raise click.BadParameter("a code has six digits", param_hint="CODE")
    return found


def asked(kubectl: Kubectl, name: str) -> Overview:
    """Return the request that a code is for.

    Raises:
        ClickException: there is none, it has no MFA device, or it is suspended.
    """
    body = found(kubectl, name)
    if not (body.get("spec") or {}).get("mfa"):
        raise click.ClickException(f"{name} names no MFA device, so no code helps: see spec.mfa")
    one = read(body)
    if one.suspended:
        raise click.ClickException(f"{name} is suspended, so no code is used: set spec.suspend to false")
    return one


def give(kubectl: Kubectl, before: Overview, code: str, say: Say, patience: float = PATIENCE) -> str:
    """Hand the code over, wait for what comes of it, and return that in words.

    Raises:
        Refused: AWS did not take it; another is wanted.
        Unanswered: no operator took it (then it is taken back), or nothing came of it.
        ClickException, AwsstsError: the request is gone, or can't be read or written.
    """
    name = before.name
    if not before.awaits_code:
        say(f"{name} does not wait for a code now; it is given all the same")
    kubectl.annotate(name, {names.TOKEN_CODE: code})
    say(f"given; waiting up to {patience:.0f} s for the operator and AWS")
    taken = False
    try:
        taken = any(_taken(body) for body in follow(kubectl, [name], patience))
    finally:
        if not taken:  # also after Ctrl-C: no code is left behind
            kubectl.annotate(name, {names.TOKEN_CODE: None})
    if not taken:
        raise Unanswered(f"no operator took the code in {patience:.0f} s, so it was taken back: is one running?")
    return _outcome(kubectl, before, patience)


def _outcome(kubectl: Kubectl, before: Overview, patience: float) -> str:
    now = before
    for body in follow(kubectl, [before.name], min(patience, REPEATED) if before.awaits_code else patience):
        now = read(body)
        if now.access_key_id not in {"", before.access_key_id} and now.expiration is not None:
            return f"accepted: credentials until {now.expiration:%Y-%m-%dT%H:%M:%SZ}, in Secret {now.secret}"
        if now != before and now.reason != "Waiting" and (now.awaits_code or now.stalled or now.reconciling):
            break
    if now.awaits_code:
        raise Refused(f"not accepted: {now.message}")
    if now.stalled or now.reconciling:
        raise Refused(f"the code is used up, but: {now.reason}: {now.message}")
    raise Unanswered(f"the operator took the code, and nothing came of it yet: {now.reason}: {now.message}")


def _taken(body: Json) -> bool:
    return names.TOKEN_CODE not in (body["metadata"].get("annotations") or {})
