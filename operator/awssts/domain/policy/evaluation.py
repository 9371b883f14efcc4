"""From policies and facts to a decision: pure, the outside is asked by the caller.

Policies are taken by priority, the higher first, then by name. All must allow; of limits and of MFA the
strictest holds: one more policy never loosens anything. Only between a person's code and an endpoint's, or those
of two endpoints, the priority decides: nobody can tell which is the stricter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from awssts.domain.errors import AwsstsError
from awssts.domain.policy import authorization, identity, limits, mfa
from awssts.domain.policy.calls import Answer, Answers, Call, Need, Wanted
from awssts.domain.policy.context import Context, Plugin
from awssts.domain.policy.decision import Decision, MfaDecision, MfaOutcome
from awssts.domain.policy.errors import PolicyInvalid
from awssts.domain.policy.facts import Facts
from awssts.domain.policy.loading import InvalidPolicy, Policy
from awssts.domain.policy.trace import Result, Stage, Step


def evaluate(
    policies: Iterable[Policy | InvalidPolicy],
    facts: Facts,
    answers: Mapping[Call, Answer] | None = None,
    plugins: Mapping[str, Plugin] | None = None,
) -> Decision | Need:
    """Return the decision, or what has to be asked outside first.

    Ask it, add the answers to those so far, evaluate again; it ends, for no answer is asked for twice.
    """
    run = _Run(facts, Answers(answers or {}), plugins or {})
    try:
        return run.decision(sorted(policies, key=lambda policy: policy.rank))
    except _Waiting as waiting:
        return Need(waiting.calls)
    except AwsstsError as error:
        return Decision(denied=error, policies=tuple(run.names), mfa=run.mfa, trace=tuple(run.steps))


class _Waiting(Exception):  # noqa: N818 - not an error
    """Answers are missing."""

    def __init__(self, calls: Sequence[Call]) -> None:
        super().__init__()
        self.calls = tuple(dict.fromkeys(calls))


@dataclass
class _Run:
    """One evaluation."""

    facts: Facts
    answers: Answers
    plugins: Mapping[str, Plugin]
    steps: list[Step] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    mfa: MfaDecision = field(default_factory=MfaDecision)

    def decision(self, policies: Sequence[Policy | InvalidPolicy]) -> Decision:
        contexts = self._contexts(self._selected(policies))
        grant = authorization.authorize(contexts, self.facts.request.role_arn)
        held = limits.check(contexts, grant.role_arn)
        if grant.aws_credentials is not None:
            contexts = [replace(context, principal=context.principal.trusted()) for context in contexts]
        return Decision(
            policies=tuple(self.names),
            limits=held,
            aws_credentials=grant.aws_credentials,
            role_arn=grant.role_arn,
            mfa=mfa.strictest(self._mfa(contexts)),
            trace=tuple(self.steps),
        )

    def _selected(self, policies: Sequence[Policy | InvalidPolicy]) -> list[Policy]:
        """Return the matching policies.

        Raises:
            PolicyInvalid: one of them can't be understood.
        """
        selected, request = [], self.facts.request
        for policy in policies:
            if not policy.selector.matches(self.facts.namespace.labels, request.labels):
                self._note(policy.name, Result.NOT_SELECTED, "the labels of namespace and request do not match")
                continue
            self.names.append(policy.name)
            if isinstance(policy, InvalidPolicy):
                self._note(policy.name, Result.INVALID, policy.problem)
                raise PolicyInvalid(f"policy {policy.name} can't be understood: {policy.problem}")
            self._note(policy.name, Result.SELECTED, f"priority {policy.spec.priority}")
            selected.append(policy)
        return selected

    def _note(self, policy: str, result: Result, why: str) -> None:
        self.steps.append(Step(policy, Stage.SELECTOR, "selector", result, why))

    def _contexts(self, policies: Sequence[Policy]) -> list[Context]:
        """Return the policies with the principal as each one's sources tell it."""
        offered = frozenset(name for policy in policies for name in _offered(policy))
        contexts: list[Context] = []
        calls: list[Call] = []
        for policy in policies:
            try:
                principal = identity.read(policy, self.facts, self.answers)
            except Wanted as wanted:
                calls.append(wanted.call)
                continue
            except AwsstsError as error:
                self.steps.append(Step(policy.name, Stage.PRINCIPAL, "sources", Result.DENIED, error.message))
                raise
            context = Context(
                policy=policy,
                facts=self.facts,
                principal=principal,
                answers=self.answers,
                plugins=self.plugins,
                offered=offered,
                steps=self.steps,
            )
            context.note(Stage.PRINCIPAL, "sources", Result.READ, _described(context))
            contexts.append(context)
        if calls:
            raise _Waiting(calls)
        return contexts

    def _mfa(self, contexts: Sequence[Context]) -> list[MfaDecision]:
        """Return what each policy says of MFA; all are heard, so that all calls are known at once."""
        decisions: list[MfaDecision] = []
        calls: list[Call] = []
        for context in contexts:
            try:
                decisions.append(mfa.decide(context))
            except Wanted as wanted:
                calls.append(wanted.call)
            except AwsstsError:
                self.mfa = self._refused(context.policy.name)
                raise
        if calls:
            raise _Waiting(calls)
        return decisions

    def _refused(self, policy: str) -> MfaDecision:
        """Return what is known of MFA after a refusal: the trigger that was looked at last."""
        triggers = [step.name for step in self.steps if step.policy == policy and step.stage is Stage.TRIGGER]
        return MfaDecision(outcome=MfaOutcome.REFUSED, policy=policy, trigger=triggers[-1] if triggers else None)


def _offered(policy: Policy) -> Iterable[str]:
    """Return the names of the providers that this policy lets a request ask for."""
    trigger = policy.spec.mfa.triggers.opt_in
    if trigger is None:
        return ()
    return trigger.providers or tuple(provider.name for provider in policy.spec.mfa.providers)


def _described(context: Context) -> str:
    principal = context.principal
    attributes = ", ".join(f"{name} ({found.source})" for name, found in sorted(principal.attributes.items()))
    return f"{principal.id}; attributes: {attributes or 'none'}"
