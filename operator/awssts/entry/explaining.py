"""``awssts explain``: what policies say of a request and why, as the operator would find it.

It asks no endpoint and not AWS. What it doesn't know it assumes, goes on, and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from awssts.domain import facts, judgement
from awssts.domain.errors import AwsstsError
from awssts.domain.policy import (
    Answer,
    Answered,
    Authentication,
    Call,
    Decision,
    Facts,
    History,
    HttpCall,
    InvalidPolicy,
    NamespaceFacts,
    Need,
    Plugin,
    Policy,
    Purpose,
    ReadUserTags,
    SecretFacts,
    UserTags,
    evaluate,
    explain,
)
from awssts.domain.policy.trace import Stage, Step
from awssts.domain.request import Request
from awssts.domain.resources import Spec
from awssts.domain.stamp import Doubt, Keys, claimed, verified
from awssts.domain.target import observe
from awssts.entry.scenes import Scene, Unknown

_NO_ANSWER = 204
_ASSUMED: Mapping[Purpose, tuple[Answered, str, Stage, str | None]] = {
    Purpose.DIRECTORY: (Answered(_NO_ANSWER), "know nobody", Stage.PRINCIPAL, "sources"),
    Purpose.TRIGGER: (Answered(_NO_ANSWER), "name no provider", Stage.TRIGGER, "rest"),
    Purpose.MEMBERSHIP: (Answered(_NO_ANSWER), "know no group of the principal", Stage.TRIGGER, "groups"),
    Purpose.BYPASS: (Answered(_NO_ANSWER), "let nobody off", Stage.BYPASS, "rest"),
    Purpose.AVAILABILITY: (Answered(200), "be there", Stage.FAILURE_MODE, None),
}


@dataclass
class Explanation:
    """An explanation in the making."""

    scene: Scene
    now: datetime
    plugins: Mapping[str, Plugin]
    assumed: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the evaluation, step by step, what it comes to, and what was assumed."""
        try:
            decision = self._decision()
        except AwsstsError as error:
            decision = Decision(denied=error)
        told = explain(decision)
        if decision.allowed and not decision.mfa.required and self.scene.spec.uses_device:
            told.append("Device: used all the same, for the request says so (spec.mfa.when)")
        if self.assumed:
            told += ["", "Assumed, for explain can't know it:", *(f"  - {one}" for one in dict.fromkeys(self.assumed))]
        return told

    def _decision(self) -> Decision:
        request, spec = self.scene.request, self.scene.spec
        known = self._facts(request, spec)
        policies = self.scene.policies
        decision, calls = self._evaluated(policies, known)
        selected = [policy for policy in policies if policy.name in decision.policies]
        if not selected:
            return decision
        judged = judgement.judge(decision, spec, "")
        if judged.denied is None and not decision.limits.allow_root and known.has_keys:
            self.assumed.append(
                "the keys are not those of an account's root user, which limits.allowRoot forbids: AWS knows"
            )
        return replace(decision, denied=judged.denied, trace=tuple(self._marked(decision.trace, calls)))

    def _evaluated(self, policies: list[Policy | InvalidPolicy], known: Facts) -> tuple[Decision, list[Call]]:
        plugins = self._plugins(policies)
        answers: dict[Call, Answer] = {}
        while isinstance(found := evaluate(policies, known, answers, plugins), Need):
            answers |= {call: self._assume(call) for call in found.calls}
        return found, list(answers)

    def _assume(self, call: Call) -> Answer:
        if isinstance(call, ReadUserTags):
            self.assumed.append("the IAM user has no tags: they were not read")
            return UserTags({})
        answer, what, *_ = _ASSUMED[call.purpose]
        place = call.url.partition("?")[0]
        self.assumed.append(f"policy {call.policy}: {place} was not asked, and is taken to {what}")
        return answer

    def _plugins(self, policies: list[Policy | InvalidPolicy]) -> dict[str, Plugin]:
        """Return the plug-ins, and for each that is not installed here one that says no."""
        wanted = {
            trigger.name
            for policy in policies
            if isinstance(policy, Policy)
            for trigger in policy.spec.mfa.triggers.other
        }
        missing = sorted(wanted - set(self.plugins))
        self.assumed += [f"plug-in {name} says no: it is not installed here" for name in missing]
        return {**self.plugins, **dict.fromkeys(missing, _no)}

    def _facts(self, request: Request, spec: Spec) -> Facts:
        scene = self.scene
        target = observe(scene.target) if isinstance(scene.target, Mapping) else None
        secret = scene.key_secret if isinstance(scene.key_secret, Mapping) else None
        found = facts.gather(request, self._namespace(), secret, target, self._applicant(request), self.now)
        if isinstance(scene.key_secret, Unknown):
            name = spec.credentials_secret_ref.name
            self.assumed.append(f"Secret {name} has keys, the label, and no attributes: {scene.key_secret.why}")
            found = replace(found, secret=SecretFacts(name=name, labelled=True))
        if isinstance(scene.target, Unknown):
            self.assumed.append(f"the key was not changed since the last issuance: {scene.target.why}")
            history = History(last_issuance=request.status.issued_at, failures=found.history.failures)
            found = replace(found, history=history)
        return found

    def _applicant(self, request: Request) -> Authentication | str:
        """Return who applied the request, by its stamp, or why that is not known; without the key, on trust."""
        who = claimed(request.annotations)
        if request.subject is None or who is None:
            return Doubt.UNSTAMPED
        keys = self.scene.stamp_keys
        if isinstance(keys, Keys):
            found = verified(request.annotations, request.subject, keys)
            return str(found) if isinstance(found, Doubt) else found.authentication
        self.assumed.append(f"{who.username} applied the request: its stamp says so, on trust, for {keys.why}")
        return who

    def _namespace(self) -> NamespaceFacts:
        name, metadata = self.scene.request.identity.namespace, self.scene.namespace
        if isinstance(metadata, Unknown):
            self.assumed.append(f"namespace {name} has no labels and annotations of its own: {metadata.why}")
            metadata = {}
        labels = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": name}  # the API server sees to it
        return NamespaceFacts(name=name, labels=labels, annotations=metadata.get("annotations") or {})

    def _marked(self, steps: tuple[Step, ...], calls: list[Call]) -> list[Step]:
        """Return the steps; those that rest on somebody who was not asked say so."""
        rests: set[tuple[str | None, Stage, str | None]] = set()
        for call in calls:
            if isinstance(call, HttpCall):
                *_, stage, name = _ASSUMED[call.purpose]
                rests.add((call.policy, stage, name))
            else:
                rests.add((None, Stage.PRINCIPAL, "sources"))
        return [replace(step, why=f"{step.why} (assumed)") if _places(step) & rests else step for step in steps]


def _places(step: Step) -> set[tuple[str | None, Stage, str | None]]:
    policies, names = (step.policy, None), (step.name, None)
    return {(policy, step.stage, name) for policy in policies for name in names}


def _no(_: Mapping[str, object]) -> None:
    return None
