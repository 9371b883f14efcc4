"""``python -m testbed.release``: all that a release consists of, in dist/, with sums and where it came from.

Wheel, source, chart, SBOM and image of the commit that is checked out; SHA256SUMS; and provenance as an in-toto
statement (https://slsa.dev/spec/v1.0/provenance). Nothing is published or signed here: what to do with it is said last.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from awssts import __version__
from testbed import audit, image
from testbed.helm import CHART, Helm
from testbed.process import ReportedError

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
REPOSITORY = "https://github.com/awssts/awssts"
SUMS = "SHA256SUMS"
PROVENANCE = "provenance.intoto.json"
UV = Path(sys.executable).with_name("uv")


def problems(version: str) -> list[str]:
    """Why this commit is none to release: what is not committed, and versions that differ."""
    found = ["there are changes that are not committed"] if git("status", "--porcelain") else []
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    found += [
        f"charts/awssts/Chart.yaml has {name} {chart[name]}, the package {version}"
        for name in ("version", "appVersion")
        if chart[name] != version
    ]
    if not re.search(rf"^## \[{re.escape(version)}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE):
        found.append(f"CHANGELOG.md has no heading [{version}]")
    if f"v{version}" not in git("tag", "--points-at", "HEAD").split():
        found.append(f"the commit has no tag v{version}")
    return found


def make(folder: Path, *, with_image: bool) -> list[Path]:
    """Builds all into an empty folder; the same commit gives the same wheel and source to the byte."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    committed = {**os.environ, "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")}
    run(UV, "build", "--quiet", "--no-create-gitignore", f"--out-dir={folder}", env=committed)
    sbom = folder / f"awssts-{__version__}.cdx.json"
    run(
        UV,
        "export",
        "--quiet",
        "--locked",
        "--no-dev",
        "--preview-features=sbom-export",
        "--format=cyclonedx1.5",
        "-o",
        sbom,
    )
    with tempfile.TemporaryDirectory() as home:
        Helm(Path(home))("package", CHART, f"--destination={folder}")
    (folder / f"awssts-{__version__}.tgz").rename(folder / f"awssts-chart-{__version__}.tgz")
    if with_image:
        shutil.copy(image.archive(), folder / f"awssts-image-{__version__}.tar")
    return sorted(folder.iterdir())


def statement(files: Iterable[Path], began: datetime, ended: datetime) -> dict[str, Any]:
    """Where the files come from."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path.name, "digest": {"sha256": sha256(path)}} for path in files],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{REPOSITORY}/blob/main/testbed/release.py",
                "externalParameters": {"version": __version__},
                "resolvedDependencies": [
                    {"uri": f"git+{REPOSITORY}", "digest": {"gitCommit": git("rev-parse", "HEAD")}},
                    {"uri": "uv.lock", "digest": {"sha256": sha256(ROOT / "uv.lock")}},
                ],
            },
            "runDetails": {
                "builder": {"id": os.environ.get("AWSSTS_BUILDER", "local")},
                "metadata": {
                    "startedOn": began.isoformat("T", "seconds"),
                    "finishedOn": ended.isoformat("T", "seconds"),
                },
            },
        },
    }


def release(folder: Path, *, snapshot: bool, with_image: bool) -> None:
    """Makes a release, or with ``snapshot`` what would be one.

    Raises:
        ReportedError: this commit is none to release; a library has a known weakness; something can't be built.
    """
    if not snapshot and (found := problems(__version__)):
        raise ReportedError("This can't be released:\n" + "\n".join(f"- {problem}" for problem in found))
    if not snapshot and audit.main():
        raise ReportedError("This can't be released: see what the audit says")
    began = datetime.now(UTC)
    files = make(folder, with_image=with_image)
    told = json.dumps(statement(files, began, datetime.now(UTC)), indent=2)
    (folder / PROVENANCE).write_text(f"{told}\n")
    summed = [*files, folder / PROVENANCE]
    (folder / SUMS).write_text("".join(f"{sha256(path)}  {path.name}\n" for path in summed))
    for path in sorted(folder.iterdir()):
        print(f"{path.stat().st_size / 1e6:8.1f} MB  {path.name}")
    print(f"\nNext: sign {SUMS} and {PROVENANCE} (cosign sign-blob), push the image and the chart, upload the rest.")


def sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def git(*arguments: str) -> str:
    return run("git", *arguments).strip()


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    program = shutil.which(command[0]) or command[0]
    done = subprocess.run([program, *command[1:]], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReportedError(f"{Path(program).name} {command[1]} failed:\n{done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m testbed.release", description="Builds a release into dist/.")
    parser.add_argument("--snapshot", action="store_true", help="of whatever is checked out, without an audit")
    parser.add_argument("--without-image", action="store_true", help="which takes root, or Docker")
    chosen = parser.parse_args()
    try:
        release(DIST, snapshot=chosen.snapshot, with_image=not chosen.without_image)
    except ReportedError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
