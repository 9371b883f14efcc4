"""Rows 5, 7 and 13: CEL over everything, CEL over providers and attributes, a Python plug-in."""

from collections.abc import Iterator, Mapping
from typing import Any

from awssts.domain.policy.context import Context, nobody
from awssts.domain.policy.errors import PolicyEvaluationFailed
from awssts.domain.policy.schema.triggers import PluginTrigger, ScriptTrigger
from awssts.domain.policy.triggers.verdict import Fired, NotFired, Verdict, Verdicts, on_result


def script(context: Context) -> Verdict:
    """Fire where the expression says so."""
    return _expression(context, context.mfa.triggers.script)


def principal_attribute_predicate(context: Context) -> Verdict:
    """Fire where the expression says so."""
    return _expression(context, context.mfa.triggers.principal_attribute_predicate)


def other(context: Context) -> Verdicts:
    """Fire on each plug-in that says so."""
    for plugin in context.mfa.triggers.other:
        yield _plugin(context, plugin)


def _expression(context: Context, trigger: ScriptTrigger | None) -> Verdict:
    if trigger is None:
        return NotFired("there is no expression")
    provider = on_result(context, context.evaluate(trigger.expression), trigger.provider, "the expression")
    if provider is None:
        return NotFired("the expression says no")
    by_owner = context.owner_decides(trigger.expression)
    return Fired(provider=provider, why=f"the expression says {provider.name}", by_owner=by_owner)


def _plugin(context: Context, trigger: PluginTrigger) -> Verdict:
    name = f"plug-in {trigger.name}"
    plugin = context.plugins.get(trigger.name)
    if plugin is None:
        raise PolicyEvaluationFailed(f"policy {context.policy.name}: {name} is not installed")
    result, failure, who = None, "", _Nobody()
    try:
        known = context.facts.authentication is not None
        result = plugin(context.variables if known else {**context.variables, "authentication": who})
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; its text may hold anything
        failure = type(error).__name__
    if who.taken_for_somebody:
        context.applicant()
    if failure:
        raise PolicyEvaluationFailed(f"policy {context.policy.name}: {name} failed with {failure}")
    if not (result is None or isinstance(result, bool | str)):
        raise PolicyEvaluationFailed(f"policy {context.policy.name}: {name} returned neither a name nor true or false")
    provider = on_result(context, result, trigger.provider, name)
    if provider is None:
        return NotFired(f"{name} says no")
    return Fired(provider=provider, why=f"{name} says {provider.name}", by_owner=True)


class _Nobody(Mapping[str, Any]):
    """What a plug-in sees of who applied a request where nobody knows.

    It notes what is read of it. To read anything without asking for ``present``, or all at once before that, is to
    take nobody for somebody: an applicant without a name, in no group.
    """

    def __init__(self) -> None:
        self._values = nobody()
        self._asked = self._read = self._copied = False

    @property
    def taken_for_somebody(self) -> bool:
        """Tell whether it was."""
        return self._copied or (self._read and not self._asked)

    def __getitem__(self, name: str) -> Any:
        if name == "present":
            self._asked = True
        else:
            self._read = True
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        self._copied = self._copied or not self._asked
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
