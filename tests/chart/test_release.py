"""What a release consists of, but for the image: that is built for the tests with pods."""

from __future__ import annotations

import json
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from awssts import __version__
from testbed import release

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "dist"
    release.release(folder, snapshot=True, with_image=False)
    return folder


def test_what_there_is(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {
        f"awssts-{__version__}-py3-none-any.whl",
        f"awssts-{__version__}.tar.gz",
        f"awssts-{__version__}.cdx.json",
        f"awssts-chart-{__version__}.tgz",
        "provenance.intoto.json",
        "SHA256SUMS",
    }


def test_the_sums_are_right(made: Path) -> None:
    said = subprocess.run(
        ["/usr/bin/env", "sha256sum", "--check", "SHA256SUMS"], cwd=made, capture_output=True, check=True
    )
    assert said.stdout.count(b": OK") == 5


def test_where_it_comes_from(made: Path) -> None:
    found = json.loads((made / "provenance.intoto.json").read_text())
    sums = dict(line.split("  ")[::-1] for line in (made / "SHA256SUMS").read_text().splitlines())
    assert {each["name"]: each["digest"]["sha256"] for each in found["subject"]} == {
        name: digest for name, digest in sums.items() if name != "provenance.intoto.json"
    }
    commit = found["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"]
    assert commit == release.git("rev-parse", "HEAD")


def test_the_same_commit_gives_the_same_files(made: Path, tmp_path: Path) -> None:
    release.make(tmp_path / "again", with_image=False)
    for name in (f"awssts-{__version__}-py3-none-any.whl", f"awssts-{__version__}.tar.gz"):
        assert (tmp_path / "again" / name).read_bytes() == (made / name).read_bytes()


def test_the_chart_brings_its_files(made: Path) -> None:
    with tarfile.open(made / f"awssts-chart-{__version__}.tgz") as chart:
        names = chart.getnames()
    assert {"awssts/files/alerts.yaml", "awssts/files/dashboard.json", "awssts/values.schema.json"} <= set(names)


def test_the_sbom_names_what_is_locked(made: Path) -> None:
    found = json.loads((made / f"awssts-{__version__}.cdx.json").read_text())
    assert {"kopf", "boto3", "kubernetes"} <= {each["name"] for each in found["components"]}
    assert "pytest" not in {each["name"] for each in found["components"]}


def test_what_is_not_ready_is_not_released() -> None:
    """There is no tag of that version, nor a heading."""
    found = "\n".join(release.problems("9.9.9"))
    assert f"Chart.yaml has version {__version__}, the package 9.9.9" in found
    assert "CHANGELOG.md has no heading [9.9.9]" in found
    assert "the commit has no tag v9.9.9" in found
