"""``awssts status``: requests as a table, one in detail, or as JSON for programs."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click

from awssts.domain.overview import Health, Overview, span

_COLOURS = {Health.GOOD: "green", Health.DOUBTFUL: "yellow", Health.WAITING: "yellow", Health.BAD: "red"}


def table(found: Sequence[Overview], now: datetime, *, namespaces: bool = False, wide: bool = False) -> list[str]:
    """Return a line for each request, and below it what is wrong, where something is."""
    headings = [*(["NAMESPACE"] if namespaces else []), "NAME", "READY", "REASON", "EXPIRES", "NEXT"]
    headings += ["SECRET", "ACCESS KEY", "ROLE", "MFA"] if wide else []
    rows = [_cells(one, now, namespaces=namespaces, wide=wide) for one in found]
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = [_aligned(headings, widths)]
    for one, row in zip(found, rows, strict=True):
        health = one.health(now)
        lines.append(click.style(_aligned(row, widths), fg=_COLOURS[health]))
        if health is not Health.GOOD:
            lines += textwrap.wrap(_clean(one.message), _width(), initial_indent="  ↳ ", subsequent_indent="    ")
    return lines


def detail(one: Overview, now: datetime) -> list[str]:
    """Return all that there is to say of one request."""
    following = one.next(now)
    facts = [
        ("Request", f"{one.namespace}/{one.name}"),
        ("Ready", click.style(f"{one.ready} ({_clean(one.reason)})", fg=_COLOURS[one.health(now)])),
        ("Says", _clean(one.message)),
        ("Secret", one.secret),
        ("Access key", one.access_key_id),
        ("Role", one.role_arn),
        ("MFA", one.mfa),
        ("Expires", f"{one.expiration:%Y-%m-%dT%H:%M:%SZ}, {_expires(one, now)}" if one.expiration else ""),
        ("Next", _next(one, now) + (f", at {following.at:%Y-%m-%dT%H:%M:%SZ}" if following.at else "")),
    ]
    return [f"{name + ':':<12}{value}" for name, value in facts if value]


def as_json(one: Overview, now: datetime) -> dict[str, Any]:
    """Return the same for programs; moments are RFC 3339, spans seconds."""
    following = one.next(now)
    return {
        "namespace": one.namespace,
        "name": one.name,
        "ready": one.ready == "True",
        "health": str(one.health(now)),
        "reason": one.reason,
        "message": one.message,
        "secretName": one.secret or None,
        "accessKeyId": one.access_key_id or None,
        "roleArn": one.role_arn or None,
        "expiration": _written(one.expiration),
        "secondsLeft": max(int((one.expiration - now).total_seconds()), 0) if one.expiration else None,
        "next": {"what": following.what, "at": _written(following.at)},
    }


def _cells(one: Overview, now: datetime, *, namespaces: bool, wide: bool) -> list[str]:
    row = [one.name, one.ready, one.reason, _expires(one, now), _next(one, now)]
    row = [*([one.namespace] if namespaces else []), *row]
    row += [one.secret, one.access_key_id, one.role_arn, one.mfa] if wide else []
    return [_clean(cell) or "-" for cell in row]


def _next(one: Overview, now: datetime) -> str:
    told = one.next(now).told(now)
    return f"{told}: awssts mfa -n {one.namespace} {one.name}" if one.awaits_code and one.current else told


def _expires(one: Overview, now: datetime) -> str:
    if one.expiration is None:
        return ""
    if one.expiration <= now:
        return f"{span(now - one.expiration)} ago"
    return f"in {span(one.expiration - now)}"


def _aligned(row: Iterable[str], widths: Sequence[int]) -> str:
    cells = list(row)
    return "   ".join([cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False)] + cells[-1:])


def _clean(text: str) -> str:
    """Return the text without control characters, with which somebody could paint over the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def _width() -> int:
    return max(shutil.get_terminal_size().columns, 60)


def _written(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
