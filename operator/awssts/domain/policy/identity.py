"""Finds out who the principal is: asks the sources that a policy lists, in the order of trust."""

import json

from awssts.domain.policy import principal
from awssts.domain.policy.calls import (
    Answered,
    Answers,
    Purpose,
    ReadUserTags,
    Unreachable,
    UserTags,
    call_to,
)
from awssts.domain.policy.errors import PolicyEndpointUnavailable
from awssts.domain.policy.facts import Facts
from awssts.domain.policy.loading import Policy
from awssts.domain.policy.principal import Attributes, Principal
from awssts.domain.policy.registry import Source


def read(policy: Policy, facts: Facts, answers: Answers) -> Principal:
    """Return the principal as this policy's sources tell it.

    Raises:
        Wanted: a source has to be asked first.
        PrincipalInvalid: what a source says can't be understood.
        PolicyEndpointUnavailable: a source can't be reached; without it nobody can be told from another.
    """
    found: list[tuple[Source, Attributes]] = []
    for source in policy.spec.principal.sources:
        match source:
            case Source.NAMESPACE:
                given: Attributes = facts.namespace.principal
            case Source.SECRET:
                given = facts.secret.principal if facts.secret else {}
            case Source.IAM_USER_TAGS:
                given = _of_iam_user(facts, answers)
            case Source.REST:
                given = _of_directory(policy, principal.merge(facts.namespace.name, found), facts, answers)
        found.append((source, given))
    return principal.merge(facts.namespace.name, found)


def _of_iam_user(facts: Facts, answers: Answers) -> Attributes:
    if not facts.has_keys:
        return {}
    match answers.to(ReadUserTags()):
        case UserTags(tags):
            return principal.from_tags(tags)
        case Unreachable(reason):
            raise PolicyEndpointUnavailable(f"the tags of the IAM user can't be read: {reason}")
        case Answered(status):
            raise PolicyEndpointUnavailable(f"the tags of the IAM user can't be read: status {status}")


def _of_directory(policy: Policy, known: Principal, facts: Facts, answers: Answers) -> Attributes:
    endpoint = policy.spec.principal.rest
    if endpoint is None:  # the model refuses it
        return {}
    place = f"the directory {endpoint.place}"
    body = json.dumps({"principal": {"id": known.id}, "namespace": facts.namespace.name}, sort_keys=True)
    answer = answers.to(call_to(endpoint, policy=policy.name, purpose=Purpose.DIRECTORY, body=body))
    match answer:
        case Answered(204):
            return {}
        case Answered(200, text):
            return _attributes(text, place)
        case Answered(status):
            raise PolicyEndpointUnavailable(f"{place} answered with status {status}")
        case Unreachable(reason):
            raise PolicyEndpointUnavailable(f"{place} can't be reached: {reason}")
        case UserTags():
            raise PolicyEndpointUnavailable(f"{place} gave no answer")


def _attributes(text: str, place: str) -> Attributes:
    try:
        given = json.loads(text)["attributes"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise PolicyEndpointUnavailable(f'{place} did not answer with {{"attributes": {{…}}}}') from None
    if not isinstance(given, dict):
        raise PolicyEndpointUnavailable(f"{place} answered with attributes that are no mapping")
    return principal.from_mapping(given, place)
