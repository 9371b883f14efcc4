"""MFA triggers that installed packages bring: CAS's row "other"."""

import importlib.metadata
from typing import Any

from awssts.domain.errors import AwsstsError
from awssts.domain.policy import Plugin

GROUP = "awssts.mfa_triggers"  # of entry points


class PluginError(AwsstsError):
    """A plug-in can't be loaded: better seen at the start than when somebody needs it."""


def installed() -> dict[str, Plugin]:
    """Return them by name.

    Raises:
        PluginError: one can't be loaded.
    """
    return {point.name: _loaded(point) for point in importlib.metadata.entry_points(group=GROUP)}


def _loaded(point: importlib.metadata.EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # noqa: BLE001 - a package of others may raise anything
        raise PluginError(f"plug-in {point.name} ({point.value}) can't be loaded: {error!r}") from None
