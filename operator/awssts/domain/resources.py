"""``AwsStsRequest``: the models of its spec and status, and what they refuse.

The CRD is generated from these models (``awssts.domain.crd``), so both say the same. Bounds and patterns of
AWS are those of the STS API reference (GetSessionToken, AssumeRole).
"""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from awssts.domain import duration as duration_
from awssts.domain import template as template_
from awssts.domain.model import Model

SESSION_DURATIONS = (900, 129_600)  # seconds GetSessionToken allows to an IAM user
ROLE_DURATION_MAXIMUM = 43_200  # seconds AssumeRole allows at the most
DEFAULT_SESSION_DURATION = 43_200  # seconds, AWS's own default
DEFAULT_ROLE_DURATION = 3_600
LEAST_LEFT = 1_200  # seconds: SDKs ask anew on every call with less than 15 min left, a mount lags by 2 min
LEAST_LEFT_MESSAGE = "renewBefore must be at least 20m with a duration of an hour or more"


SecretName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]
SecretKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
RoleArn = Annotated[
    str, Field(min_length=20, max_length=2048, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$")
]
PolicyArn = Annotated[
    str,
    Field(min_length=20, max_length=2048, pattern=r"^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+$"),
]
CredentialDuration = Annotated[
    int,
    BeforeValidator(duration_.within(*SESSION_DURATIONS)),
    WithJsonSchema(duration_.schema(*SESSION_DURATIONS)),
]
TemplateText = Annotated[str, Field(max_length=4096), AfterValidator(template_.check)]
TagKey = Annotated[str, Field(min_length=1, max_length=128)]
TagValue = Annotated[str, Field(max_length=256)]


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return CEL rules for the CRD: pairs of a rule and the message a user sees when it does not hold."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


class CredentialsSecretRef(Model):
    """The Secret with the long-term keys of an IAM user, in the request's namespace."""

    name: SecretName
    """Name of the Secret."""
    access_key_id_key: SecretKey | None = None
    """Key in it that holds the access key id. Default: aws_access_key_id, else AWS_ACCESS_KEY_ID."""
    secret_access_key_key: SecretKey | None = None
    """Key in it that holds the secret access key. Default: aws_secret_access_key, else AWS_SECRET_ACCESS_KEY."""


class Role(Model):
    """The role to assume, with what STS takes for it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.transitiveTagKeys) || self.transitiveTagKeys.all(k, has(self.tags) && k in self.tags)",
                "transitiveTagKeys may only name keys of tags",
            )
        )
    )

    arn: RoleArn
    """ARN of the role, like arn:aws:iam::123456789012:role/reports."""
    session_name: Annotated[str, Field(min_length=2, max_length=64, pattern=r"^[A-Za-z0-9_+=,.@-]+$")] | None = None
    """Name of the role session, as CloudTrail shows it. Default: <namespace>.<name>, cut to 64 characters."""
    external_id: Annotated[str, Field(min_length=2, max_length=1224, pattern=r"^[A-Za-z0-9_+=,.@:/-]+$")] | None = None
    """External id that the role's trust policy asks for."""
    policy: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """Inline session policy (JSON) that narrows what the credentials may do."""
    policy_arns: Annotated[tuple[PolicyArn, ...], Field(max_length=10)] = ()
    """ARNs of managed policies that narrow what the credentials may do."""
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=50)] = Field(default_factory=dict)
    """Session tags."""
    transitive_tag_keys: Annotated[tuple[TagKey, ...], Field(max_length=50)] = ()
    """Keys of the tags that pass on to the next role in a chain."""
    source_identity: Annotated[str, Field(min_length=2, max_length=64, pattern=r"^[A-Za-z0-9_+=,.@-]+$")] | None = None
    """Source identity that stays with the session through role chaining."""

    @model_validator(mode="after")
    def _transitive_tags_exist(self) -> Self:
        missing = [key for key in self.transitive_tag_keys if key not in self.tags]
        if missing:
            raise ValueError(f"transitiveTagKeys names {missing[0]!r}, which is not a key of tags")
        return self


class SeedSecretRef(Model):
    """The Secret with the seed of a virtual MFA device, in the request's namespace."""

    name: SecretName
    """Name of the Secret."""
    key: SecretKey = "seed"
    """Key in it that holds the seed, as base32 or as an otpauth:// URI. Default: seed."""


class MfaWhen(StrEnum):
    """When the device is used."""

    ALWAYS = "Always"
    TRIGGERED = "Triggered"


class Mfa(Model):
    """The MFA device of the IAM user, and where its codes come from."""

    serial_number: Annotated[str, Field(min_length=9, max_length=256, pattern=r"^[A-Za-z0-9_+=/:,.@-]+$")]
    """ARN of a virtual device (arn:aws:iam::123456789012:mfa/reports) or serial number of a hardware one."""
    totp_secret_ref: SeedSecretRef | None = None
    """Where the device's TOTP seed is. Without it the operator waits for a person to give the code."""
    session_duration: CredentialDuration | None = None
    """With a role: how long the MFA session behind it lasts, from which the role is assumed without another code;
    15m to 36h. A role for more than an hour takes a code each time instead. Default: 12h."""
    when: MfaWhen = MfaWhen.ALWAYS
    """Always uses the device for every session; Triggered only when a policy asks for it. Default: Always."""


class Format(StrEnum):
    """A layout in which the credentials are written into the target Secret."""

    ENVIRONMENT = "Environment"
    CREDENTIALS_FILE = "CredentialsFile"
    CREDENTIAL_PROCESS = "CredentialProcess"


class CreationPolicy(StrEnum):
    """What ties the target Secret to the request."""

    OWNER = "Owner"
    ORPHAN = "Orphan"
    ADOPT = "Adopt"


class Template(Model):
    """What else the target Secret shall carry."""

    type: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Type of the Secret. Default: Opaque. Kubernetes does not let it change later."""
    labels: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)] = Field(
        default_factory=dict,
        json_schema_extra=rules(
            ("self.all(k, !k.startsWith('awssts.dev/'))", "labels of awssts.dev/ are the operator's")
        ),
    )
    """Labels for the Secret."""
    annotations: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)] = Field(
        default_factory=dict,
        json_schema_extra=rules(
            ("self.all(k, !k.startsWith('awssts.dev/'))", "annotations of awssts.dev/ are the operator's")
        ),
    )
    """Annotations for the Secret."""
    data: Annotated[dict[SecretKey, TemplateText], Field(max_length=64)] = Field(
        default_factory=dict,
        json_schema_extra=rules(
            (
                f"self.all(k, {template_.in_cel('self[k]')})",
                f"placeholders are {', '.join(f'${{{name}}}' for name in template_.PLACEHOLDERS)}; "
                "write $$ for a dollar sign",
            )
        ),
    )
    """More keys, with ${accessKeyId}, ${secretAccessKey}, ${sessionToken}, ${expiration} and ${region} filled in
    ($$ is a dollar sign). A key of a format is replaced by the same key here."""

    @model_validator(mode="after")
    def _reserved(self) -> Self:
        for field in ("labels", "annotations"):
            for key in getattr(self, field):
                if key.startswith("awssts.dev/"):
                    raise ValueError(f"{field} of awssts.dev/ are the operator's: remove {key!r}")
        return self


class Target(Model):
    """The Secret that receives the temporary credentials, in the request's namespace."""

    name: SecretName | None = None
    """Name of the Secret. Default: the request's name."""
    formats: Annotated[
        tuple[Format, ...],
        Field(min_length=1, max_length=3, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = tuple(Format)
    """Layouts to write. Environment: AWS_ACCESS_KEY_ID and the like, for envFrom. CredentialsFile: credentials,
    an AWS credentials file. CredentialProcess: config and credentials.json, which SDKs read anew before the
    credentials expire. Default: all."""
    profile: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.@-]+$")] = "default"
    """Name of the profile in the files. Default: default."""
    mount_path: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^/[A-Za-z0-9_./-]*$")] = (
        "/var/run/secrets/awssts.dev"
    )
    """Where the pods mount the Secret; the config file's credential_process reads credentials.json from there.
    Default: /var/run/secrets/awssts.dev."""
    template: Template = Template()
    """What else the Secret shall carry."""
    creation_policy: CreationPolicy = CreationPolicy.OWNER
    """Owner: the Secret goes when the request goes. Orphan: it stays. Adopt: an existing Secret is taken over,
    and stays. Default: Owner."""

    @field_validator("formats")
    @classmethod
    def _each_once(cls, formats: tuple[Format, ...]) -> tuple[Format, ...]:
        if len(set(formats)) < len(formats):
            raise ValueError("each format can be named once")
        return formats


class WorkloadKind(StrEnum):
    """Kinds whose pods are made anew when their template changes."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"


class Workload(Model):
    """A workload in the request's namespace."""

    model_config = ConfigDict(frozen=True)

    kind: WorkloadKind
    """Deployment, StatefulSet or DaemonSet."""
    name: SecretName
    """Its name."""


_DURATION_OR_DEFAULT = (
    f"(has(self.duration) && {duration_.form_in_cel('self.duration')} ? {duration_.in_cel('self.duration')}"
    " : has(self.role) ? 3600 : 43200)"
)
_RENEW_BEFORE_LEFT_OUT = f"!has(self.renewBefore) || !{duration_.form_in_cel('self.renewBefore')}"


class Spec(Model):
    """What the user asks for."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"!has(self.role) || {_DURATION_OR_DEFAULT} <= {ROLE_DURATION_MAXIMUM}",
                "duration must be at most 12h with a role",
            ),
            (
                f"{_RENEW_BEFORE_LEFT_OUT} || {duration_.in_cel('self.renewBefore')} < {_DURATION_OR_DEFAULT}",
                "renewBefore must be shorter than duration (12h by default, 1h with a role)",
            ),
            (
                f"{_RENEW_BEFORE_LEFT_OUT} || {_DURATION_OR_DEFAULT} < 3600"
                f" || {duration_.in_cel('self.renewBefore')} >= {LEAST_LEFT}",
                LEAST_LEFT_MESSAGE,
            ),
            (
                "!has(self.mfa) || !has(self.mfa.totpSecretRef) || !has(self.target) || !has(self.target.name)"
                " || self.target.name != self.mfa.totpSecretRef.name",
                "target.name must differ from mfa.totpSecretRef.name: the seed would be overwritten",
            ),
            (
                "!has(self.target) || !has(self.target.name) || self.target.name != self.credentialsSecretRef.name",
                "target.name must differ from credentialsSecretRef.name: the keys would be overwritten",
            ),
        )
    )

    credentials_secret_ref: CredentialsSecretRef
    """The Secret with the long-term keys of an IAM user, in the request's namespace."""
    duration: CredentialDuration | None = None
    """How long the credentials shall live: 12h, 1h30m, PT12H or seconds; 15m to 36h, with a role to 12h.
    Default: 12h, with a role 1h."""
    renew_before: duration_.Duration | None = None
    """How long before their expiration they are renewed. Default: a third of their lifetime."""
    region: Annotated[str, Field(max_length=32, pattern=r"^[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}$")] | None = None
    """Region of the STS endpoint, also written into the files and as AWS_REGION. Default: the operator's."""
    role: Role | None = None
    """Role to assume. Without it the credentials are a session of the IAM user (GetSessionToken)."""
    mfa: Mfa | None = None
    """MFA device of the IAM user."""
    target: Target = Target()
    """The Secret that receives the credentials. Default: named like the request, in all formats."""
    rollout_restart: Annotated[
        tuple[Workload, ...],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["kind", "name"]},
        ),
    ] = ()
    """Workloads whose pods are restarted when the Secret's content has changed, as kubectl rollout restart does:
    for programs that read their credentials once. Not at the first issuance. Default: none."""
    suspend: StrictBool = False
    """True stops renewals; what was issued stays until it expires. Default: false."""

    @property
    def uses_device(self) -> bool:
        """Whether STS is asked with the MFA device."""
        return self.mfa is not None and self.mfa.when is MfaWhen.ALWAYS

    @property
    def lifetime(self) -> int:
        """Seconds to ask STS for."""
        if self.duration is not None:
            return self.duration
        return DEFAULT_ROLE_DURATION if self.role else DEFAULT_SESSION_DURATION

    @field_validator("rollout_restart")
    @classmethod
    def _workloads_once(cls, workloads: tuple[Workload, ...]) -> tuple[Workload, ...]:
        if len(set(workloads)) < len(workloads):
            raise ValueError("each workload can be named once")
        return workloads

    @model_validator(mode="after")
    def _durations_fit(self) -> Self:
        if self.role and self.lifetime > ROLE_DURATION_MAXIMUM:
            raise ValueError("duration must be at most 12h with a role")
        if self.renew_before is not None and self.renew_before >= self.lifetime:
            raise ValueError("renewBefore must be shorter than duration (12h by default, 1h with a role)")
        if self.renew_before is not None and self.lifetime >= 3_600 and self.renew_before < LEAST_LEFT:
            raise ValueError(LEAST_LEFT_MESSAGE)
        return self

    @model_validator(mode="after")
    def _target_is_no_input(self) -> Self:
        if self.target.name is not None:
            refuse_input_as_target(self, self.target.name)
        return self


def refuse_input_as_target(spec: Spec, target: str) -> None:
    """Raise ValueError when the target Secret is one of the request's own inputs."""
    if target == spec.credentials_secret_ref.name:
        raise ValueError("target.name must differ from credentialsSecretRef.name: the keys would be overwritten")
    if spec.mfa and spec.mfa.totp_secret_ref and target == spec.mfa.totp_secret_ref.name:
        raise ValueError("target.name must differ from mfa.totpSecretRef.name: the seed would be overwritten")
