"""Specs that the API server takes and refuses, each refused one with the message that a user sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

FORM = "write a duration like 12h, 1h30m, PT12H or a number of seconds"
SECRET_NAME = "should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'"
SECRET_KEY = "should match '^[-._a-zA-Z0-9]+$'"
ROLE = "should match '^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$'"
POLICY = "should match '^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+$'"
SESSION = "should match '^[A-Za-z0-9_+=,.@-]+$'"
ARN = "arn:aws:iam::123456789012:role/reports"
SERIAL = "arn:aws:iam::123456789012:mfa/reports"
SEED = {"serialNumber": SERIAL, "totpSecretRef": {"name": "reports-mfa"}}


@dataclass(frozen=True)
class Case:
    """A request; ``message`` and ``field`` are empty where it is taken."""

    title: str
    spec: Any
    message: str = ""
    field: str = ""
    name: str = "reports"


def spec(**fields: Any) -> Json:
    return {"credentialsSecretRef": {"name": "reports-iam"}} | fields


def role(**fields: Any) -> Json:
    return spec(role={"arn": ARN} | fields)


def template(**fields: Any) -> Json:
    return spec(target={"template": fields})


def too_long(limit: int) -> str:
    return f"may not be more than {limit} "


def too_many(limit: int) -> str:
    return f"must have at most {limit} items"


def too_short(limit: int) -> str:
    return f"should be at least {limit} chars long"


def many(count: int) -> dict[str, str]:
    return {f"k{number}": "" for number in range(count)}


ACCEPTED = [
    Case("the least", spec()),
    Case("seconds", spec(duration=900)),
    Case("seconds as text", spec(duration="0900")),
    Case("hours and minutes", spec(duration="1h30m", renewBefore="20m")),
    Case("ISO 8601", spec(duration="PT12H", renewBefore="PT1H30M")),
    Case("the longest", spec(duration="36h")),
    Case("the longest of a role", spec(duration="12h", role={"arn": ARN})),
    Case("a short one is renewed late", spec(duration="15m", renewBefore="1s")),
    Case("a role", role()),
    Case(
        "all of a role",
        role(
            sessionName="a@b.c,=+-_",
            externalId="x:/y",
            policy="{}",
            policyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
            tags={"team": "reports", "empty": ""},
            transitiveTagKeys=["team"],
            sourceIdentity="jane",
        ),
    ),
    Case("a role in a path", spec(role={"arn": "arn:aws-us-gov:iam::123456789012:role/a/b+c=d,e.f@g-h_i"})),
    Case("a device", spec(mfa=SEED | {"when": "Triggered"})),
    Case("a hardware device", spec(mfa={"serialNumber": "GAHT12345678"})),
    Case("a region", spec(region="us-gov-west-1")),
    Case("all of a target", spec(target={
        "name": "a.b-c", "formats": ["CredentialProcess", "Environment"], "profile": "team.reports@prod",
        "mountPath": "/", "creationPolicy": "Adopt",
        "template": {"type": "example.com/aws", "labels": {"a": "b"}, "annotations": {"c": "d"}},
    })),
    Case("a template", template(data={"url": "s3://${accessKeyId}:${secretAccessKey}@x", "plain": "$HOME $$ 100 $"})),
    Case("an escaped placeholder", template(data={"a": "$${region} $$${region}"})),
    Case("a label of another group", template(labels={"app.awssts.dev/x": "y"})),
    Case("another target than its own name", spec(target={"name": "other"}), name="reports-iam"),
    Case("other keys", {"credentialsSecretRef": {"name": "k", "accessKeyIdKey": "id", "secretAccessKeyKey": "s.k"}}),
    Case("suspended", spec(suspend=True)),
    Case(
        "restarts",
        spec(rolloutRestart=[{"kind": kind, "name": "web"} for kind in ("Deployment", "StatefulSet", "DaemonSet")]),
    ),
    *(
        Case(f"null for {path}", document)  # Helm charts write that for what isn't set; Kubernetes takes it away
        for path, document in {
            "region": spec(region=None),
            "duration": spec(duration=None),
            "role": spec(role=None),
            "target": spec(target=None),
            "suspend": spec(suspend=None),
            "role.tags": role(tags=None),
            "role.policyArns": role(policyArns=None),
            "mfa.when": spec(mfa=SEED | {"when": None}),
            "target.formats": spec(target={"formats": None}),
            "target.profile": spec(target={"profile": None}),
            "target.template.labels": template(labels=None),
        }.items()
    ),
]  # fmt: skip

REFUSED = [
    # Durations.
    Case("garbage", spec(duration="soon"), FORM, "spec.duration"),
    Case("an empty duration", spec(duration=""), FORM, "spec.duration"),
    Case("PT", spec(duration="PT"), FORM, "spec.duration"),
    Case("days", spec(duration="1d"), FORM, "spec.duration"),
    Case("a newline", spec(duration="12h\n"), FORM, "spec.duration"),
    Case("lower case ISO", spec(duration="pt12h"), FORM, "spec.duration"),
    Case("a fraction", spec(duration="1.5h"), FORM, "spec.duration"),
    Case("a boolean duration", spec(duration=True), "must be of type", "spec.duration"),
    Case("10m", spec(duration="10m"), "must be at least 15m and at most 36h", "spec.duration"),
    Case("37h", spec(duration="37h"), "must be at least 15m and at most 36h", "spec.duration"),
    Case("600", spec(duration=600), "must be at least 15m and at most 36h", "spec.duration"),
    Case("-900", spec(duration=-900), "must be at least 15m and at most 36h", "spec.duration"),
    Case("a billion hours", spec(duration="999999h"), "must be at least 15m and at most 36h", "spec.duration"),
    Case("a long duration", spec(duration="1" * 25), too_long(24), "spec.duration"),
    Case("renewBefore garbage", spec(renewBefore="soon"), FORM, "spec.renewBefore"),
    Case("renewBefore nothing", spec(renewBefore="0s"), "must be at least 1s", "spec.renewBefore"),
    Case("renewBefore long", spec(renewBefore="1" * 25), too_long(24), "spec.renewBefore"),
    Case("13h of a role", spec(duration="13h", role={"arn": ARN}), "duration must be at most 12h with a role", "spec"),
    Case(
        "renewBefore as long as the duration", spec(duration="2h", renewBefore="2h"),
        "renewBefore must be shorter than duration (12h by default, 1h with a role)", "spec",
    ),
    Case(
        "renewBefore as long as a role's hour", spec(renewBefore="1h", role={"arn": ARN}),
        "renewBefore must be shorter than duration (12h by default, 1h with a role)", "spec",
    ),
    Case(
        "renewBefore less than 20 minutes", spec(renewBefore="19m"),
        "renewBefore must be at least 20m with a duration of an hour or more", "spec",
    ),
    Case("sessionDuration garbage", spec(mfa=SEED | {"sessionDuration": "x"}), FORM, "spec.mfa.sessionDuration"),
    Case(
        "sessionDuration 10m", spec(mfa=SEED | {"sessionDuration": "10m"}),
        "must be at least 15m and at most 36h", "spec.mfa.sessionDuration",
    ),
    Case(
        "sessionDuration long", spec(mfa=SEED | {"sessionDuration": "1" * 25}),
        too_long(24), "spec.mfa.sessionDuration",
    ),
    # A target that is an input.
    Case(
        "the keys as target", spec(target={"name": "reports-iam"}),
        "target.name must differ from credentialsSecretRef.name: the keys would be overwritten", "spec",
    ),
    Case(
        "the seed as target", spec(mfa=SEED, target={"name": "reports-mfa"}),
        "target.name must differ from mfa.totpSecretRef.name: the seed would be overwritten", "spec",
    ),
    Case(
        "named like the keys", spec(),
        "spec.target.name defaults to the request's name, which is that of credentialsSecretRef: the keys would be "
        "overwritten; set another target.name",
        name="reports-iam",
    ),
    Case(
        "named like the keys, with a target", spec(target={"profile": "x"}),
        "spec.target.name defaults to the request's name, which is that of credentialsSecretRef",
        name="reports-iam",
    ),
    Case(
        "named like the seed", spec(mfa=SEED),
        "spec.target.name defaults to the request's name, which is that of mfa.totpSecretRef: the seed would be "
        "overwritten; set another target.name",
        name="reports-mfa",
    ),
    # The credentials Secret.
    Case("no credentials Secret", {}, "Required value", "spec.credentialsSecretRef"),
    Case("without its name", spec(credentialsSecretRef={}), "Required value", "spec.credentialsSecretRef.name"),
    *(
        Case(f"{path}: {title}", broken(value), message, path)
        for path, broken in {
            "spec.credentialsSecretRef.name": lambda value: {"credentialsSecretRef": {"name": value}},
            "spec.mfa.totpSecretRef.name": lambda value: spec(
                mfa={"serialNumber": SERIAL, "totpSecretRef": {"name": value}}
            ),
            "spec.target.name": lambda value: spec(target={"name": value}),
        }.items()
        for title, value, message in (
            ("upper case", "Reports", SECRET_NAME),
            ("empty", "", too_short(1)),
            ("too long", "a" * 254, too_long(253)),
        )
    ),
    *(
        Case(f"{path}: {title}", broken(value), message, path)
        for path, broken in {
            "spec.credentialsSecretRef.accessKeyIdKey": lambda value: spec(
                credentialsSecretRef={"name": "k", "accessKeyIdKey": value}
            ),
            "spec.credentialsSecretRef.secretAccessKeyKey": lambda value: spec(
                credentialsSecretRef={"name": "k", "secretAccessKeyKey": value}
            ),
            "spec.mfa.totpSecretRef.key": lambda value: spec(
                mfa={"serialNumber": SERIAL, "totpSecretRef": {"name": "s", "key": value}}
            ),
        }.items()
        for title, value, message in (
            ("a space", "a b", SECRET_KEY),
            ("empty", "", too_short(1)),
            ("too long", "a" * 254, too_long(253)),
        )
    ),
    # Region, role, device.
    Case("a city", spec(region="Frankfurt"), "should match '^[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}$'", "spec.region"),
    Case("a long region", spec(region=f"eu-{'w' * 30}-1"), too_long(32), "spec.region"),
    Case("a role without ARN", spec(role={}), "Required value", "spec.role.arn"),
    Case("a user for a role", spec(role={"arn": "arn:aws:iam::123456789012:user/jane"}), ROLE, "spec.role.arn"),
    Case("an accent", spec(role={"arn": f"{ARN}é"}), ROLE, "spec.role.arn"),
    Case("a short ARN", spec(role={"arn": "arn"}), too_short(20), "spec.role.arn"),
    Case("a long ARN", spec(role={"arn": ARN + "x" * 2048}), too_long(2048), "spec.role.arn"),
    Case("a session with a space", role(sessionName="a b"), SESSION, "spec.role.sessionName"),
    Case("a session with an accent", role(sessionName="rôle"), SESSION, "spec.role.sessionName"),
    Case("a short session", role(sessionName="a"), too_short(2), "spec.role.sessionName"),
    Case("a long session", role(sessionName="a" * 65), too_long(64), "spec.role.sessionName"),
    Case(
        "an external id with a space", role(externalId="a b"),
        "should match '^[A-Za-z0-9_+=,.@:/-]+$'", "spec.role.externalId",
    ),
    Case("a short external id", role(externalId="a"), too_short(2), "spec.role.externalId"),
    Case("a long external id", role(externalId="a" * 1225), too_long(1224), "spec.role.externalId"),
    Case("an empty policy", role(policy=""), too_short(1), "spec.role.policy"),
    Case("a long policy", role(policy="x" * 2049), too_long(2048), "spec.role.policy"),
    Case("a policy's name", role(policyArns=["arn:aws:iam::aws:role/ReadOnly"]), POLICY, "spec.role.policyArns[0]"),
    Case("a short policy ARN", role(policyArns=["x"]), too_short(20), "spec.role.policyArns[0]"),
    Case(
        "a long policy ARN", role(policyArns=["arn:aws:iam::aws:policy/" + "x" * 2048]),
        too_long(2048), "spec.role.policyArns[0]",
    ),
    Case(
        "11 policies", role(policyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"] * 11),
        too_many(10), "spec.role.policyArns",
    ),
    Case("51 tags", role(tags=many(51)), too_many(50), "spec.role.tags"),
    Case("a tag's long key", role(tags={"k" * 129: ""}), "keys have at most 128 characters", "spec.role.tags"),
    Case("a tag's empty key", role(tags={"": "x"}), "keys can't be empty", "spec.role.tags"),
    Case("a tag's long value", role(tags={"k": "v" * 257}), too_long(256), "spec.role.tags.k"),
    Case(
        "a transitive key of no tag", role(transitiveTagKeys=["a"]),
        "transitiveTagKeys may only name keys of tags", "spec.role",
    ),
    Case(
        "an empty transitive key", role(tags={"a": "b"}, transitiveTagKeys=[""]),
        too_short(1), "spec.role.transitiveTagKeys[0]",
    ),
    Case(
        "a long transitive key", role(tags={"a": "b"}, transitiveTagKeys=["k" * 129]),
        too_long(128), "spec.role.transitiveTagKeys[0]",
    ),
    Case(
        "51 transitive keys", role(tags={"a": "b"}, transitiveTagKeys=["a"] * 51),
        too_many(50), "spec.role.transitiveTagKeys",
    ),
    Case("a source with a space", role(sourceIdentity="a b"), SESSION, "spec.role.sourceIdentity"),
    Case("a short source", role(sourceIdentity="a"), too_short(2), "spec.role.sourceIdentity"),
    Case("a long source", role(sourceIdentity="a" * 65), too_long(64), "spec.role.sourceIdentity"),
    Case("a device without serial", spec(mfa={}), "Required value", "spec.mfa.serialNumber"),
    Case(
        "a serial with a space", spec(mfa={"serialNumber": "GAHT 12345678"}),
        "should match '^[A-Za-z0-9_+=/:,.@-]+$'", "spec.mfa.serialNumber",
    ),
    Case("a short serial", spec(mfa={"serialNumber": "GAHT"}), too_short(9), "spec.mfa.serialNumber"),
    Case("a long serial", spec(mfa={"serialNumber": "1" * 257}), too_long(256), "spec.mfa.serialNumber"),
    Case(
        "a seed without name", spec(mfa=SEED | {"totpSecretRef": {}}),
        "Required value", "spec.mfa.totpSecretRef.name",
    ),
    Case("sometimes", spec(mfa=SEED | {"when": "Sometimes"}), "Unsupported value", "spec.mfa.when"),
    # The target.
    Case("no format", spec(target={"formats": []}), "should have at least 1 items", "spec.target.formats"),
    Case("an unknown format", spec(target={"formats": ["Toml"]}), "Unsupported value", "spec.target.formats[0]"),
    Case("a format twice", spec(target={"formats": ["Environment"] * 2}), "Duplicate value", "spec.target.formats[1]"),
    Case(
        "four formats",
        spec(target={"formats": ["Environment", "CredentialsFile", "CredentialProcess", "Environment"]}),
        too_many(3), "spec.target.formats",
    ),
    Case(
        "a profile with a space", spec(target={"profile": "a b"}),
        "should match '^[A-Za-z0-9_.@-]+$'", "spec.target.profile",
    ),
    Case("an empty profile", spec(target={"profile": ""}), too_short(1), "spec.target.profile"),
    Case("a long profile", spec(target={"profile": "a" * 65}), too_long(64), "spec.target.profile"),
    Case(
        "a command for a path", spec(target={"mountPath": "/x; rm -rf /"}),
        "should match '^/[A-Za-z0-9_./-]*$'", "spec.target.mountPath",
    ),
    Case("an empty path", spec(target={"mountPath": ""}), too_short(1), "spec.target.mountPath"),
    Case("a long path", spec(target={"mountPath": "/" + "a" * 1024}), too_long(1024), "spec.target.mountPath"),
    Case("another policy", spec(target={"creationPolicy": "Mine"}), "Unsupported value", "spec.target.creationPolicy"),
    Case("an empty type", template(type=""), too_short(1), "spec.target.template.type"),
    Case("a long type", template(type="t" * 254), too_long(253), "spec.target.template.type"),
    Case(
        "our label", template(labels={"awssts.dev/type": "x"}),
        "labels of awssts.dev/ are the operator's", "spec.target.template.labels",
    ),
    Case("65 labels", template(labels=many(65)), too_many(64), "spec.target.template.labels"),
    Case("a long label", template(labels={"a": "b" * 64}), too_long(63), "spec.target.template.labels.a"),
    Case(
        "our annotation", template(annotations={"awssts.dev/x": "y"}),
        "annotations of awssts.dev/ are the operator's", "spec.target.template.annotations",
    ),
    Case("65 annotations", template(annotations=many(65)), too_many(64), "spec.target.template.annotations"),
    Case(
        "a long annotation", template(annotations={"a": "b" * 4097}),
        too_long(4096), "spec.target.template.annotations.a",
    ),
    Case(
        "a key with a space", template(data={"a b": ""}),
        "keys must match ^[-._a-zA-Z0-9]+$", "spec.target.template.data",
    ),
    Case("an empty key", template(data={"": "x"}), "keys can't be empty", "spec.target.template.data"),
    Case("a long key", template(data={"k" * 254: ""}), "keys have at most 253 characters", "spec.target.template.data"),
    Case("65 keys", template(data=many(65)), too_many(64), "spec.target.template.data"),
    Case("a long text", template(data={"k": "v" * 4097}), too_long(4096), "spec.target.template.data.k"),
    *(
        Case(
            f"the template {text}", template(data={"k": text}),
            "placeholders are ${accessKeyId}, ${secretAccessKey}, ${sessionToken}, ${expiration}, ${region}; "
            "write $$ for a dollar sign",
            "spec.target.template.data",
        )
        for text in ("${password}", "${}", "${", "$$${", "${REGION}", "${acce$$ssKeyId}", "${${region}region}")
    ),
    # Workloads.
    Case(
        "a pod to restart", spec(rolloutRestart=[{"kind": "Pod", "name": "web"}]),
        "Unsupported value", "spec.rolloutRestart[0].kind",
    ),
    Case(
        "a workload without a kind", spec(rolloutRestart=[{"name": "web"}]), "Required value",
        "spec.rolloutRestart[0].kind",
    ),
    Case(
        "a workload without a name", spec(rolloutRestart=[{"kind": "Deployment"}]), "Required value",
        "spec.rolloutRestart[0].name",
    ),
    Case(
        "a workload of no name", spec(rolloutRestart=[{"kind": "Deployment", "name": "Web"}]), SECRET_NAME,
        "spec.rolloutRestart[0].name",
    ),
    Case(
        "a workload of an empty name", spec(rolloutRestart=[{"kind": "Deployment", "name": ""}]), too_short(1),
        "spec.rolloutRestart[0].name",
    ),
    Case(
        "a workload of a long name", spec(rolloutRestart=[{"kind": "Deployment", "name": "w" * 254}]), too_long(253),
        "spec.rolloutRestart[0].name",
    ),
    Case(
        "a workload twice", spec(rolloutRestart=[{"kind": "Deployment", "name": "web"}] * 2), "Duplicate value",
        "spec.rolloutRestart[1]",
    ),
    Case(
        "17 workloads", spec(rolloutRestart=[{"kind": "DaemonSet", "name": f"w{number}"} for number in range(17)]),
        too_many(16), "spec.rolloutRestart",
    ),
    # Types.
    Case("yes for a boolean", spec(suspend="true"), "must be of type boolean", "spec.suspend"),
    Case("a number for a boolean", spec(suspend=1), "must be of type boolean", "spec.suspend"),
    Case(
        "a number for a name", spec(credentialsSecretRef={"name": 5}),
        "must be of type string", "spec.credentialsSecretRef.name",
    ),
    Case("a text for a list", spec(target={"formats": "Environment"}), "must be of type array", "spec.target.formats"),
    Case("a list for an object", spec(target=[]), "must be of type object", "spec.target"),
    Case("a misspelt field", spec(duratoin="1h"), 'unknown field "spec.duratoin"', "spec.duratoin"),
    Case("a field too deep", role(duration="1h"), 'unknown field "spec.role.duration"', "spec.role.duration"),
]  # fmt: skip
