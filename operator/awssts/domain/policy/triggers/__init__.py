"""CAS's thirteen triggers, in its order."""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Final

from awssts.domain.errors import AwsstsError
from awssts.domain.policy.context import Context
from awssts.domain.policy.errors import PolicyEvaluationFailed
from awssts.domain.policy.expressions import ExpressionError
from awssts.domain.policy.registry import ROWS, Row
from awssts.domain.policy.trace import Result, Stage
from awssts.domain.policy.triggers import asked, attributes, circumstances, endpoints, scripts
from awssts.domain.policy.triggers.verdict import Fired, NotFired, Verdict, Verdicts

Check = Callable[[Context], Verdicts]


def single(check: Callable[[Context], Verdict]) -> Check:
    """Return the check of a row that says one thing, as one of a row that may say several."""

    def verdicts(context: Context) -> Verdicts:
        yield check(context)

    return verdicts


CHECKS: Final = MappingProxyType[str, Check](
    {
        "adaptive": circumstances.adaptive,
        "global_": single(asked.global_),
        "opt_in": single(asked.opt_in),
        "rest": single(endpoints.rest),
        "script": single(scripts.script),
        "principal_attribute_per_application": attributes.principal_attribute_per_application,
        "principal_attribute_predicate": single(scripts.principal_attribute_predicate),
        "principal_attribute": attributes.principal_attribute,
        "authentication_attribute": attributes.authentication_attribute,
        "applications": attributes.applications,
        "groups": single(endpoints.groups),
        "entity_id": single(asked.entity_id),
        "other": scripts.other,
    }
)


def configured(context: Context) -> list[Row]:
    """Return the rows that the policy uses, in CAS's order."""
    return [row for row in ROWS if getattr(context.mfa.triggers, row.attribute)]


def fired(context: Context) -> Iterator[tuple[Row, Fired]]:
    """Yield whatever fires, in CAS's order; what is behind the last one taken is never looked at.

    Raises:
        Wanted: an endpoint has to be asked first.
        AwsstsError: the request is refused.
    """
    for row in configured(context):
        for verdict in _checked(row, context):
            result = Result.NOT_FIRED if isinstance(verdict, NotFired) else Result.FIRED
            context.note(Stage.TRIGGER, row.field, result, verdict.why)
            if isinstance(verdict, Fired):
                yield row, verdict


def _checked(row: Row, context: Context) -> Verdicts:
    try:
        yield from CHECKS[row.attribute](context)
    except ExpressionError as error:
        context.note(Stage.TRIGGER, row.field, Result.DENIED, str(error))
        path = f"spec.mfa.triggers.{row.field}"
        raise PolicyEvaluationFailed(f"policy {context.policy.name}: {path}: {error}") from None
    except AwsstsError as error:
        context.note(Stage.TRIGGER, row.field, Result.DENIED, error.message)
        raise
