"""Types that several parts of a policy use. All is bounded, as CEL on the API server needs it."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from awssts.domain import duration
from awssts.domain.model import Model
from awssts.domain.policy import expressions, patterns
from awssts.domain.resources import SecretKey, SecretName

ProviderName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
AttributeName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9]([\w./:@-]*[A-Za-z0-9])?$")]
Regex = Annotated[str, Field(min_length=1, max_length=patterns.MAX_LENGTH), AfterValidator(patterns.check)]
Expression = Annotated[str, Field(min_length=1, max_length=expressions.MAX_LENGTH), AfterValidator(expressions.check)]
MetadataKey = Annotated[
    str, Field(min_length=1, max_length=317, pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
]
NamespaceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Url = Annotated[str, Field(min_length=8, max_length=1024, pattern=r"^https?://[^@/?#\s]+(/[^#\s]*)?$")]
Timeout = Annotated[int, BeforeValidator(duration.within(1, 30)), WithJsonSchema(duration.schema(1, 30))]


class KeyRef(Model):
    """A key of a Secret that the operator may read."""

    name: SecretName
    """Name of the Secret."""
    namespace: NamespaceName
    """Namespace of the Secret."""
    key: SecretKey
    """Key in it."""


class RestEndpoint(Model):
    """An HTTP endpoint that is asked with JSON. Redirects are not followed, answers are bounded."""

    url: Url
    """URL, http or https, without user name and password."""
    timeout: Timeout = 5
    """How long to wait for the answer: 1s to 30s. Default: 5s."""
    ca_bundle_secret_ref: KeyRef | None = None
    """Certificates (PEM) that the server's certificate must lead to. Default: those of the system."""
    bearer_token_secret_ref: KeyRef | None = None
    """Token to send as Authorization: Bearer."""

    @property
    def place(self) -> str:
        """The URL as it may be shown: a query can hold a key."""
        return self.url.partition("?")[0]


class AttributeMatch(Model):
    """An attribute, and the values that count."""

    name: AttributeName
    """Name of the attribute."""
    value: Regex | None = None
    """Regular expression (RE2) that must match a whole value; one of several is enough. Default: any."""
