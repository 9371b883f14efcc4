"""The CRDs, generated from the models: ``python -m awssts.domain.crd crds/``."""

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from awssts.domain import names
from awssts.domain.policy.schema.resource import PolicySpec
from awssts.domain.resources import Spec
from awssts.domain.status import Status

COLUMNS = (
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status", 0),
    ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason", 0),
    ("Secret", "string", ".status.secretName", 0),
    ("Expires", "string", ".status.expiration", 0),
    ("Renews", "string", ".status.nextRenewal", 0),
    ("MFA", "string", ".status.conditions[?(@.type=='MFASatisfied')].status", 1),  # wide: 100 columns are full
    ("Role", "string", ".status.roleArn", 1),
    ("Key", "string", ".status.accessKeyId", 1),
    ("Age", "date", ".metadata.creationTimestamp", 0),
)
POLICY_COLUMNS = (
    ("Priority", "integer", ".spec.priority", 0),
    ("Max duration", "string", ".spec.limits.maxDuration", 0),
    ("Roles from", "string", ".spec.authorization.rolesFromAttribute", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
)


def structural(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of a model as Kubernetes' structural schema.

    References are inlined, "or null" goes (a missing field says it), and so do titles, defaults (the models
    apply them: the API server need not write them into what the user applied) and ``additionalProperties:
    false`` beside properties (unknown fields are pruned, or refused by ``kubectl --validate=strict``).
    """
    definitions = schema.pop("$defs", {})
    converted = _converted(schema, definitions)
    assert isinstance(converted, dict)  # noqa: S101 - a schema's root is an object
    return converted


def _converted(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_converted(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    node = _without_reference(node, definitions)
    node = _without_null(node, definitions)
    result: dict[str, Any] = {}
    for key, value in node.items():
        _convert_keyword(key, value, result, definitions)
    return result


def _convert_keyword(key: str, value: Any, result: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Add to the result what a structural schema has for one keyword of JSON schema."""
    match key:
        case "title" | "default" | "const":
            pass
        case "additionalProperties" if value is False:
            pass
        case "properties":
            result[key] = {name: _converted(child, definitions) for name, child in value.items()}
        case "propertyNames":
            _add_rules(result, _key_rules(value))
        case "patternProperties":
            ((pattern, values),) = value.items()
            result["additionalProperties"] = _converted(values, definitions)
            _add_rules(result, _key_rules({"pattern": pattern}))
        case "x-kubernetes-validations":
            _add_rules(result, value)
        case "enum" | "required":
            result[key] = value
        case "description":
            result[key] = " ".join(value.split())
        case _:
            result[key] = _converted(value, definitions)


def _add_rules(result: dict[str, Any], rules: list[dict[str, str]]) -> None:
    result["x-kubernetes-validations"] = [*result.get("x-kubernetes-validations", []), *rules]


def _key_rules(names_schema: dict[str, Any]) -> list[dict[str, str]]:
    """Return CEL rules for what JSON schema says of a map's keys: structural schemas have no ``propertyNames``."""
    found = []
    if "minLength" in names_schema:
        found.append({"rule": "self.all(k, k != '')", "message": "keys can't be empty"})
    if "maxLength" in names_schema:
        limit = names_schema["maxLength"]
        found.append({"rule": f"self.all(k, size(k) <= {limit})", "message": f"keys have at most {limit} characters"})
    if "pattern" in names_schema:
        pattern = names_schema["pattern"]
        found.append({"rule": f"self.all(k, k.matches('{pattern}'))", "message": f"keys must match {pattern}"})
    return found


def _without_reference(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    referred = definitions[node["$ref"].rsplit("/", 1)[1]]
    return {**referred, **{key: value for key, value in node.items() if key != "$ref"}}


def _without_null(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    options = node.get("anyOf", [])
    kept = [option for option in options if option != {"type": "null"}]
    if len(kept) == len(options) or len(kept) != 1:
        return node
    only = _without_reference(kept[0], definitions)
    return {**only, **{key: value for key, value in node.items() if key != "anyOf"}}


def definition(
    *,
    kind: str,
    plural: str,
    scope: str,
    short_names: list[str],
    columns: tuple[Any, ...],
    schema: dict[str, Any],
) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind, with a status subresource."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{names.GROUP}", "labels": {"app.kubernetes.io/name": "awssts"}},
        "spec": {
            "group": names.GROUP,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": short_names,
                "categories": ["aws"],
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    **({"subresources": {"status": {}}} if "status" in schema["properties"] else {}),
                    "additionalPrinterColumns": [
                        {
                            "name": name,
                            "type": type_,
                            "jsonPath": path,
                            **({"priority": wide} if wide else {}),
                        }
                        for name, type_, path, wide in columns
                    ],
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def awsstsrequests() -> dict[str, Any]:
    """Return the CRD of ``AwsStsRequest``."""
    root = {
        "type": "object",
        "description": (
            "Asks for temporary AWS credentials in a Secret: taken from STS with the keys of an IAM user, "
            "renewed before they expire."
        ),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _part(Spec),
            "status": _part(Status),
        },
        "x-kubernetes-validations": [
            {
                "rule": "has(self.spec.target) && has(self.spec.target.name)"
                " || self.metadata.name != self.spec.credentialsSecretRef.name",
                "message": "spec.target.name defaults to the request's name, which is that of "
                "credentialsSecretRef: the keys would be overwritten; set another target.name",
            },
            {
                "rule": "has(self.spec.target) && has(self.spec.target.name) || !has(self.spec.mfa)"
                " || !has(self.spec.mfa.totpSecretRef) || self.metadata.name != self.spec.mfa.totpSecretRef.name",
                "message": "spec.target.name defaults to the request's name, which is that of "
                "mfa.totpSecretRef: the seed would be overwritten; set another target.name",
            },
        ],
    }
    return definition(
        kind=names.KIND,
        plural=names.PLURAL,
        scope="Namespaced",
        short_names=["awssts"],
        columns=COLUMNS,
        schema=root,
    )


def awsstspolicies() -> dict[str, Any]:
    """Return the CRD of ``AwsStsPolicy``."""
    root = {
        "type": "object",
        "description": (
            "An administrator's rules for AwsStsRequests: who may have credentials, for which roles, within which "
            "limits, and when MFA is needed."
        ),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _part(PolicySpec),
        },
    }
    return definition(
        kind=names.POLICY_KIND,
        plural=names.POLICY_PLURAL,
        scope="Cluster",
        short_names=["awsstspol"],
        columns=POLICY_COLUMNS,
        schema=root,
    )


def _part(model: type[BaseModel]) -> dict[str, Any]:
    return structural(model.model_json_schema(by_alias=True, mode="validation"))


def manifest(crd: dict[str, Any]) -> str:
    """Return the CRD as the YAML that is checked in."""
    text = yaml.safe_dump(crd, sort_keys=False, width=110, allow_unicode=True)
    return f"# Generated from the models by `make crds`; change those.\n{text}"


def main(folder: str) -> None:
    """Write every CRD into the folder."""
    for crd in (awsstsrequests(), awsstspolicies()):
        name = crd["spec"]["names"]["plural"]
        (Path(folder) / f"{names.GROUP}_{name}.yaml").write_text(manifest(crd))


if __name__ == "__main__":
    main(*sys.argv[1:])
