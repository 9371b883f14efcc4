"""Conditions of a request, and those of their reasons that are no errors: what each means, for the reference too."""

from enum import StrEnum
from typing import Self

from awssts.domain.status import AUTHORIZED, MFA_SATISFIED, READY, RECONCILING, STALLED

CONDITIONS = {
    READY: "Always there. True: the Secret holds credentials that live, also while a renewal fails.",
    STALLED: "There while it is true: only a change helps, of the request, of a Secret, or in AWS.",
    RECONCILING: "There while it is true: it is tried again without anybody's doing, at ``status.nextAttempt``.",
    AUTHORIZED: "With an ``AwsStsPolicy``: whether all policies that select the request allow it.",
    MFA_SATISFIED: "With an MFA device: whether it answered for the credentials that are there, and no person's code "
    "is wanted.",
}


class Reason(StrEnum):
    """A reason, and what it means. Where something fails, the reason is the name of an error's class."""

    meaning: str
    said_by: str

    def __new__(cls, name: str, said_by: str, meaning: str) -> Self:
        """Make one, of a condition."""
        made = str.__new__(cls, name)
        made._value_, made.said_by, made.meaning = name, said_by, meaning
        return made

    ISSUED = (
        "Issued",
        f"{READY} is True",
        "All is well; the message says until when, and when they are renewed.",
    )
    RENEWAL_FAILING = (
        "RenewalFailing",
        f"{READY} is True",
        f"The credentials live, but the attempt to get new ones failed: {STALLED} or {RECONCILING} says why.",
    )
    SUSPENDED = (
        "Suspended",
        f"{READY} is True or False",
        "``spec.suspend`` is true: nothing is renewed.",
    )
    PENDING = (
        "Pending",
        f"{READY} or {MFA_SATISFIED} is False",
        "The credentials are about to be issued, or no code was used yet for what the request asks. "
        "If it stays: is an operator running?",
    )
    WAITING = (
        "Waiting",
        f"{RECONCILING} is True, {READY} is False",
        "No failure: the next TOTP step is waited for, or another request's call with the same device.",
    )
    ALLOWED = (
        "Allowed",
        f"{AUTHORIZED} is True",
        "The message names the policies.",
    )
    AUTHENTICATED = (
        "Authenticated",
        f"{MFA_SATISFIED} is True",
        "A code of the device was accepted for the credentials that are there.",
    )
