"""The reference of both kinds, from their CRDs: `python -m testbed.fields docs` writes docs/reference-*.md."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from awssts.domain import names
from awssts.domain.crd import awsstspolicies, awsstsrequests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json = dict[str, Any]

MADE = """\
Made from the CRD by `make reference`; `kubectl explain {explained}` shows the same, for the version that
your cluster has. Fields that are not listed are refused by `kubectl --validate=strict` and by `awssts check`.
"""
REQUESTS = """\
What it does is told in the [README](../README.md) and, with MFA, in [mfa.md](mfa.md); [examples](../examples/README.md)
are to copy from. Each reason in `status.conditions` is in
[the reference of reasons](reference-reasons.md), with what to do in [errors.md](errors.md).
"""
ANNOTATIONS = {
    "renew": "Any new value: new credentials now, once (`kubectl awssts renew`).",
    "token-code": "A person's MFA code; it is removed as soon as it is read (`kubectl awssts mfa`).",
    "mfa": "The provider that the request asks for, where a policy has the trigger "
    "[`optIn`](mfa.md#3-opt-in-request-parameter-header-or-attribute).",
    "entity-id": "Who asks, where a policy has the trigger [`entityId`](mfa.md#12-entity-id-request-parameter) with "
    "`source: Annotation`.",
    "authentication": "Who applied it, as the webhook stamped it; [nobody else can](mfa.md#who-applied-the-request).",
}
LABELS = {
    names.CREDENTIALS: "Yours, on a Secret with long-term keys: a change is seen at once, else at the next renewal.",
    names.TARGET: "The operator's: temporary credentials, of the request in the annotation `awssts.dev/request`.",
    names.SESSION: "The operator's: a session that an MFA code gave.",
    names.RECORD: "The operator's: which codes of a device were used.",
    "user": "Yours: a user of [the gateway](gateway.md#users).",
}
POLICIES = """\
What it is for is told in [policies.md](policies.md), MFA in [mfa.md](mfa.md); there is an
[example](../examples/mfa/README.md) of each trigger. It has no status: what policies came to is said in that of each
request.
"""
DEFAULT = re.compile(r" ?Default: ([^.]*(?:\.[^ ][^.]*)*)\.(?= |$)")
ANYWHERE = {"write a duration like 12h, 1h30m, PT12H or a number of seconds"}  # what the type says


@dataclass
class Chapters:
    """One for each object, in the order of the schema; one that looks like an earlier one is not written again."""

    written: dict[str, str] = field(default_factory=dict)  # what an object looks like: its first path
    text: list[str] = field(default_factory=list)

    def add(self, path: str, schema: Json) -> None:
        written = path.startswith("spec")
        head = ("field", "type", "default", "bounds", "") if written else ("field", "type", "")
        rows: list[tuple[str, ...]] = []
        below: list[tuple[str, Json]] = []
        for name, each in schema["properties"].items():
            description, default = split(each.get("description", ""))
            default = "**required**" if name in schema.get("required", ()) else cell(default)
            limits = (default, "; ".join(bounds(each))) if written else ()
            rows.append((f"`{name}`", self._type(f"{path}.{name}", each), *limits, cell(description)))
            below += objects(f"{path}.{name}", each)
        said = f"{cell(schema['description'])}\n\n" if "description" in schema else ""
        self.text.append(f"### {path}\n\n{said}{table(head, rows)}{refusals(schema, 'Refused')}")
        for where, each in below:
            if self.written.setdefault(shape(each), where) == where:
                self.add(where, each)

    def _type(self, path: str, schema: Json) -> str:
        if schema.get("x-kubernetes-int-or-string"):
            return "duration"
        if schema["type"] == "array":
            return f"list of {self._type(f'{path}[]', schema['items'])}"
        if "additionalProperties" in schema:
            return f"map to {self._type(f'{path}.*', schema['additionalProperties'])}"
        if "properties" in schema:
            first = self.written.setdefault(shape(schema), path)
            return f"[object](#{anchor(first)})"
        return "time" if schema.get("format") == "date-time" else str(schema["type"])


def refusals(schema: Json, refused: str) -> str:
    """What the API server says of an object that has its fields, and not as they should be."""
    said = [f"- {cell(rule['message'])}\n" for rule in schema.get("x-kubernetes-validations", ())]
    return f"\n{refused}, with these words, where it is not so:\n\n{''.join(said)}" if said else ""


def objects(path: str, schema: Json) -> Iterator[tuple[str, Json]]:
    """The object that a field is, or is a list of."""
    if "properties" in schema:
        yield path, schema
    elif "items" in schema:
        yield from objects(f"{path}[]", schema["items"])
    elif isinstance(schema.get("additionalProperties"), dict):
        yield from objects(f"{path}.*", schema["additionalProperties"])


def shape(schema: Json) -> str:
    """All about an object but what is said of it in one place."""
    return repr({key: value for key, value in schema.items() if key != "description"})


def anchor(path: str) -> str:
    """The heading's, as GitHub names it."""
    return re.sub(r"[^\w-]", "", path.lower())


def split(description: str) -> tuple[str, str]:
    """What a field is, and its default."""
    found = DEFAULT.search(description)
    return (description.replace(found[0], "", 1).strip(), found[1]) if found else (description, "")


def bounds(schema: Json) -> Iterator[str]:
    """What a value has to be, in words."""
    yield from (f"`{value}`" for value in schema.get("enum", ()))
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " keys"),
        ("minLength", "maxLength", " characters"),
    ):
        if not schema.get("x-kubernetes-int-or-string"):
            yield from between(schema.get(least), schema.get(most), unit)
    if schema.get("x-kubernetes-list-type") == "set":
        yield "each once"
    if "pattern" in schema:
        yield code(schema["pattern"])
    if "properties" not in schema:
        rules = [rule["message"] for rule in schema.get("x-kubernetes-validations", ())]
        yield from (told(rule) for rule in rules if rule not in ANYWHERE)
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict) and "properties" not in schema[inner]:
            yield from (bound if bound.startswith("`") else f"each {bound}" for bound in bounds(schema[inner]))


def told(rule: str) -> str:
    """The message of a rule; a regular expression in it is code."""
    words, keys, pattern = rule.partition("keys must match ")
    return f"{words}{keys}{code(pattern)}" if keys else cell(rule)


def between(least: int | None, most: int | None, unit: str) -> Iterator[str]:
    if least is not None and most is not None:
        yield f"{least:,} to {most:,}{unit}"
    elif most is not None:
        yield f"at most {most:,}{unit}"
    elif least is not None:
        yield f"at least {least:,}{unit}"


def row(*cells: str) -> str:
    return " ".join(f"| {text}".strip() for text in cells) + " |"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(row(*each) for each in (head, ("---",) * len(head), *rows)) + "\n"


def cell(text: str) -> str:
    """Words in a table: nothing in them is markup but ``code``."""
    return re.sub(r"([|<*_$])", r"\\\1", text.replace("``", "`"))


def code(text: str) -> str:
    """Code in a table."""
    return "`" + text.replace("|", r"\|") + "`"


def reference(crd: Json, *introduction: str) -> str:
    """Return the document of a kind."""
    spec = crd["spec"]
    called, version = spec["names"], spec["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    chapters = Chapters()
    for part in ("spec", "status"):
        if part in schema["properties"]:
            chapters.add(part, schema["properties"][part])
    columns = (
        (each["name"], code(each["jsonPath"]), "yes" if each.get("priority") else "")
        for each in version["additionalPrinterColumns"]
    )
    return "\n".join(
        [
            f"# {called['kind']}\n",
            f"{schema['description']}\n",
            MADE.format(explained=f"{called['singular']}.spec"),
            f"`{spec['group']}/{version['name']}`, {spec['scope'].lower()}; `{called['plural']}`, "
            f"short `{called['shortNames'][0]}`, category `{called['categories'][0]}`.\n",
            *introduction,
            "## Columns\n",
            table(("column of `kubectl get`", "path", "only with `-o wide`"), columns),
            "## Fields\n",
            "A duration is `12h`, `1h30m`, `PT12H` or a number of seconds.\n" + refusals(schema, "Refused as a whole"),
            *chapters.text,
        ]
    )


def documents() -> dict[str, str]:
    """Both, by the names of their files."""
    return {
        "reference-requests.md": reference(
            awsstsrequests(),
            REQUESTS,
            table(
                ("annotation of a request", ""),
                ((f"`{names.GROUP}/{name}`", said) for name, said in ANNOTATIONS.items()),
            ),
            table(
                ("label of a Secret", ""), ((f"`{names.TYPE_LABEL}: {name}`", said) for name, said in LABELS.items())
            ),
        ),
        "reference-policies.md": reference(awsstspolicies(), POLICIES),
    }


if __name__ == "__main__":
    for title, text in documents().items():
        (Path(sys.argv[1]) / title).write_text(text)
