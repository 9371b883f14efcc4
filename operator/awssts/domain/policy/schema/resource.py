"""``AwsStsPolicy``: cluster-scoped, the administrator's."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from awssts.domain.model import Model
from awssts.domain.policy.registry import Source
from awssts.domain.policy.schema.mfa import MfaPolicy
from awssts.domain.policy.schema.selectors import Selector
from awssts.domain.policy.schema.types import AttributeMatch, AttributeName, NamespaceName, RestEndpoint
from awssts.domain.resources import CredentialDuration, RoleArn, SecretName, rules

_LIST_SET = {"x-kubernetes-list-type": "set"}
_LENT_KEYS_NEED_ROLES = (
    "awsCredentials needs authorization.rolesFromAttribute: those keys are for the principal's roles only"
)


class Limits(Model):
    """The most a request may ask for. Of several policies the strictest limits hold."""

    max_duration: CredentialDuration | None = None
    """The longest that credentials may live. A request that gives no duration gets at most this."""
    max_session_duration: CredentialDuration | None = None
    """The longest that the MFA session behind a role may live, and so one code may serve. A request gets at most
    this. Default: maxDuration."""
    allow_root: bool = False
    """True: keys of an account's root user may be used. Default: false."""
    allowed_role_arns: Annotated[tuple[RoleArn, ...], Field(max_length=256, json_schema_extra=_LIST_SET)] | None = None
    """Roles that may be assumed, compared for equality; a request without a role is refused then. Default: any
    role, or none."""
    require_credentials_label: bool = False
    """True: the credentials Secret must have the label awssts.dev/type: credentials. Default: false."""


class RoleField(StrEnum):
    """A field of a request's spec.role that says who is at work, or what for; the keys' owner answers for it."""

    SESSION_NAME = "sessionName"
    EXTERNAL_ID = "externalId"
    TAGS = "tags"
    TRANSITIVE_TAG_KEYS = "transitiveTagKeys"
    SOURCE_IDENTITY = "sourceIdentity"


class AwsCredentials(Model):
    """Long-term keys that the administrator holds (CAS's own way), in keys aws_access_key_id and
    aws_secret_access_key."""

    secret_name: SecretName
    """Name of the Secret."""
    namespace: NamespaceName
    """Namespace of the Secret: one that owners of requests can't read."""
    allow: Annotated[tuple[RoleField, ...], Field(max_length=5, json_schema_extra=_LIST_SET)] = ()
    """Fields of spec.role that a request with these keys may set: sessionName, externalId, tags,
    transitiveTagKeys, sourceIdentity. Default: none; the session's name is <namespace>.<name>."""


class PrincipalPolicy(Model):
    """Where the principal's attributes come from."""

    sources: Annotated[tuple[Source, ...], Field(min_length=1, max_length=4, json_schema_extra=_LIST_SET)] = (
        Source.NAMESPACE,
        Source.SECRET,
    )
    """Sources, the most trusted first: an attribute from one hides the same from those after it. Namespace:
    labels and annotations principal.awssts.dev/<attribute> of the namespace. IamUserTags: tags of the IAM
    user. Rest: a directory. Secret: the same annotations on the credentials Secret, and its key attributes, a
    YAML mapping of lists; its owner writes them. Default: Namespace, then Secret."""
    rest: RestEndpoint | None = None
    """The directory of source Rest: answers 200 with {"attributes": {"<name>": ["<value>", …]}}, or 204 for
    none."""

    @model_validator(mode="after")
    def _sources_fit(self) -> Self:
        if len(set(self.sources)) < len(self.sources):
            raise ValueError("sources has one twice")
        if (Source.REST in self.sources) != (self.rest is not None):
            raise ValueError("rest must be set with source Rest, and only then")
        return self


class Authorization(Model):
    """Who may have credentials, and for which roles. All matching policies must allow."""

    principal_attribute: AttributeMatch | None = None
    """Attribute that the principal must have (CAS: principal-attribute-name, principal-attribute-value)."""
    roles_from_attribute: AttributeName | None = None
    """Attribute whose values are the ARNs of the roles that the principal may assume, compared for equality
    (CAS: rbac-enabled). With several, the request chooses one in spec.role.arn."""


class PolicySpec(Model):
    """Decides over the requests it selects: limits, authorization, MFA."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.awsCredentials) || (has(self.authorization) && has(self.authorization.rolesFromAttribute))",
                _LENT_KEYS_NEED_ROLES,
            )
        )
    )

    priority: Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)] = 0
    """Of several policies the one with the higher number comes first, then by name. Default: 0."""
    selector: Selector = Selector()
    """Requests it decides over. Default: all."""
    limits: Limits = Limits()
    """The most a request may ask for."""
    aws_credentials: AwsCredentials | None = None
    """Keys for requests whose principal has none of its own."""
    principal: PrincipalPolicy = PrincipalPolicy()
    """Where the principal's attributes come from."""
    authorization: Authorization = Authorization()
    """Who may have credentials, and for which roles."""
    mfa: MfaPolicy = MfaPolicy()
    """When MFA is needed and how it is done."""

    @model_validator(mode="after")
    def _lent_keys_are_for_roles(self) -> Self:
        if self.aws_credentials and self.authorization.roles_from_attribute is None:
            raise ValueError(_LENT_KEYS_NEED_ROLES)
        return self
