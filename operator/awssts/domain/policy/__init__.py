"""Policies: who may have credentials, within which limits, and whether MFA is needed, by CAS's rules.

``load`` a policy, ``evaluate`` policies over ``Facts`` until there is a ``Decision``; ``explain`` it.
"""

from awssts.domain.policy.calls import (
    Answer,
    Answered,
    Call,
    HttpCall,
    Need,
    Purpose,
    ReadUserTags,
    Unreachable,
    UserTags,
)
from awssts.domain.policy.context import Plugin
from awssts.domain.policy.decision import (
    Decision,
    EffectiveLimits,
    MfaDecision,
    MfaOutcome,
    check_device,
)
from awssts.domain.policy.evaluation import evaluate
from awssts.domain.policy.explanation import explain
from awssts.domain.policy.facts import (
    Authentication,
    Device,
    Facts,
    History,
    NamespaceFacts,
    RequestFacts,
    SecretFacts,
)
from awssts.domain.policy.loading import InvalidPolicy, Policy, load
from awssts.domain.policy.schema.resource import PolicySpec
from awssts.domain.policy.trust import warnings

__all__ = [
    "Answer",
    "Answered",
    "Authentication",
    "Call",
    "Decision",
    "Device",
    "EffectiveLimits",
    "Facts",
    "History",
    "HttpCall",
    "InvalidPolicy",
    "MfaDecision",
    "MfaOutcome",
    "NamespaceFacts",
    "Need",
    "Plugin",
    "Policy",
    "PolicySpec",
    "Purpose",
    "ReadUserTags",
    "RequestFacts",
    "SecretFacts",
    "Unreachable",
    "UserTags",
    "check_device",
    "evaluate",
    "explain",
    "load",
    "warnings",
]
