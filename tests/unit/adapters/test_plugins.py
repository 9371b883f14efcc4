"""MFA triggers of other packages are found by their entry points."""

from pathlib import Path

import pytest

from awssts.adapters import plugins


def install(folder: Path, value: str) -> None:
    """A package with a trigger, as pip would leave it."""
    (folder / "nightly.py").write_text("def night(known):\n    return known['request']['name'] == 'reports'\n")
    metadata = folder / "nightly-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: nightly\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[awssts.mfa_triggers]\nnight = {value}\n")


def test_an_installed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plugins.installed() == {}
    install(tmp_path, "nightly:night")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert plugins.installed()["night"]({"request": {"name": "reports"}}) is True


@pytest.mark.parametrize("value", ["nightly:day", "nowhere:night"])
def test_one_that_can_not_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    install(tmp_path, value)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(plugins.PluginError, match=f"plug-in night \\({value}\\) can't be loaded: "):
        plugins.installed()
