"""Checks manifests without a cluster, with the operator's own models."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from awssts.domain import names
from awssts.domain.errors import InvalidSpec
from awssts.domain.policy import InvalidPolicy, load, warnings
from awssts.domain.request import read_spec


def check(files: Iterable[Path]) -> tuple[list[str], list[str], int]:
    """Return a line for each problem and for each warning, and how many objects of awssts were checked."""
    problems: list[str] = []
    advice: list[str] = []
    checked = 0
    for path in _expanded(files):
        try:
            found = [document for document in _documents(path) if _ours(document)]
        except Unreadable as error:
            problems.append(str(error))
            continue
        checked += len(found)
        problems += [f"{path}: {problem}" for document in found for problem in _problems(document)]
        advice += [f"{path}: {warning}" for document in found for warning in _warnings(document)]
    return problems, advice, checked


def documents(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield every object in the manifests."""
    for path in _expanded(files):
        yield from _documents(path)


def _ours(document: dict[str, Any]) -> bool:
    group = str(document.get("apiVersion", "")).partition("/")[0]
    return group == names.GROUP or document.get("kind") in {names.KIND, names.POLICY_KIND}


def _expanded(files: Iterable[Path]) -> Iterator[Path]:
    for path in files:
        if path.is_dir():
            yield from sorted(found for found in path.rglob("*") if found.suffix in {".yaml", ".yml", ".json"})
        else:
            yield path


class Unreadable(Exception):  # noqa: N818 - said in a sentence
    """A file is not YAML. The text around the place is not repeated: there may be a key in it."""


def _loaded(path: Path) -> list[Any]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        return list(yaml.safe_load_all(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Unreadable(f"{path}: not YAML: {place}{error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise Unreadable(f"{path}: not YAML: {type(error).__name__}") from None


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    for document in _loaded(path):
        if isinstance(document, dict):
            items = document.get("items") if document.get("kind") == "List" else None
            yield from (item for item in (items if isinstance(items, list) else [document]) if isinstance(item, dict))


def _problems(document: dict[str, Any]) -> list[str]:
    kind, metadata = document.get("kind"), document.get("metadata") or {}
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name", ""), str):
        return [f"{kind}: metadata: must be a mapping whose name is a string"]
    where = f"{kind}/{metadata.get('name', '?')}"
    if document.get("apiVersion") != names.API_VERSION:
        return [f"{where}: apiVersion: {document.get('apiVersion')} is not known: use {names.API_VERSION}"]
    if kind not in {names.KIND, names.POLICY_KIND}:
        return [f"{where}: kind: {kind} is not known: there are {names.KIND} and {names.POLICY_KIND}"]
    if not metadata.get("name"):
        return [f"{where}: metadata.name: is missing"]
    unknown = sorted(set(document) - {"apiVersion", "kind", "metadata", "spec", "status"})
    problems = [f"{where}: {field}: no such field" for field in unknown]
    if kind == names.POLICY_KIND:
        policy = load(document)
        found = policy.problems if isinstance(policy, InvalidPolicy) else ()
        return problems + [f"{where}: {problem}" for problem in found]
    spec = read_spec(document.get("spec"), metadata["name"])
    if isinstance(spec, InvalidSpec):
        problems += [f"{where}: {problem}" for problem in spec.problems]
    return problems


def _warnings(document: dict[str, Any]) -> list[str]:
    """Return what a policy rests on that the owner of a request can write."""
    if document.get("kind") != names.POLICY_KIND or _problems(document):
        return []
    policy = load(document)
    if isinstance(policy, InvalidPolicy):
        return []
    return [f"{names.POLICY_KIND}/{policy.name}: {warning}" for warning in warnings(policy)]
