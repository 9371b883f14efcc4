"""What all models of the API have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A part of a custom resource: immutable, camelCase on the wire, unknown fields refused.

    Every field has a description: it is what ``kubectl explain`` shows.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        """Pass over nulls, as the API server does: Helm writes them for what is not set."""
        if isinstance(given, dict):
            return {key: value for key, value in given.items() if value is not None}
        return given
