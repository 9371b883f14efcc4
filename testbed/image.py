"""The image, built without Docker: buildah, on a base of Debian's packages. `python -m testbed.image`.

Where the end-to-end tests run on kind, and so Docker is there, `docker build .` does it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from awssts import __version__
from testbed.cluster import kind
from testbed.cluster.cache import cache_directory, locked
from testbed.process import ReportedError

ROOT = Path(__file__).parents[1]
NAME = "localhost/awssts:dev"
SUITE = "bookworm"
PACKAGES = "ca-certificates,python3,python3-venv"
MIRROR = "http://deb.debian.org/debian"  # AWSSTS_DEBIAN_MIRROR names another
KEPT = 2  # older archives: another working copy may be about to use its own
TRUST = Path("/etc/ssl/certs")  # a company's proxy may sign with an authority that only the machine's store has
TRUST_WITHIN = "/run/trust"  # not where the base has its own, which gets into the image
PROGRAMS = {"buildah": "buildah", "debootstrap": "debootstrap"}  # program: Debian package


def check() -> None:
    """Says with the remedy why no image can be built here."""
    if kind.chosen():
        return
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ReportedError("Building the image takes Linux and root; with Docker: docker build .")
    if missing := [package for program, package in PROGRAMS.items() if shutil.which(program) is None]:
        raise ReportedError(f"Building the image takes more programs: apt-get install {' '.join(missing)}")


def archive() -> Path:
    """The image as a `docker save` archive, of the sources as they are; built only when one of them changed."""
    folder = cache_directory() / "images"
    tar = folder / f"awssts-{fingerprint()}.tar"
    if not tar.exists():
        check()
        with locked(folder, what="the image"):
            if not tar.exists():
                build_with_docker(tar) if kind.chosen() else build(tar)
    return tar


def fingerprint() -> str:
    """Of all that gets into the image."""
    files = [ROOT / name for name in ("Dockerfile", "pyproject.toml", "uv.lock", "README.md", "LICENSE")]
    files += sorted(path for path in (*(ROOT / "operator").rglob("*"), *(ROOT / "image").rglob("*")))
    digest = hashlib.sha256(f"{SUITE} {PACKAGES}".encode())
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def build(tar: Path) -> None:
    """Builds it. Nothing of the machine gets in: its trust store is there for the time of the build only."""
    for old in sorted(tar.parent.glob("awssts-*.tar"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="awssts-buildah-") as store:
        found = base()
        from_base = f"FROM scratch\nADD {found.name} /\n"
        buildah(store, "bud", "--quiet", "--tag=localhost/base", "--file=-", found.parent, input=from_base)
        buildah(
            store,
            "bud",
            "--isolation=chroot",
            f"--volume={TRUST}:{TRUST_WITHIN}:ro",
            *(f"--build-arg={name}={TRUST_WITHIN}/ca-certificates.crt" for name in ("SSL_CERT_FILE", "PIP_CERT")),
            *(f"--build-arg={name}" for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX") if name in os.environ),
            "--build-arg=BASE=localhost/base",
            f"--build-arg=VERSION={__version__}",
            f"--build-arg=REVISION={revision()}",
            "--format=docker",
            "--pull-never",
            f"--tag={NAME}",
            ROOT,
        )
        part = tar.with_suffix(".part")
        part.unlink(missing_ok=True)
        buildah(store, "push", "--quiet", NAME, f"docker-archive:{part}:{NAME}")
        part.rename(tar)


def build_with_docker(tar: Path) -> None:
    """On the base that the Dockerfile names, from Docker Hub."""
    about = (f"--build-arg=VERSION={__version__}", f"--build-arg=REVISION={revision()}")
    run("docker", "build", "--quiet", *about, f"--tag={NAME}", ROOT)
    part = tar.with_suffix(".part")
    run("docker", "save", f"--output={part}", NAME)
    part.rename(tar)


def base() -> Path:
    """A file system with Debian's Python, from its packages: made once."""
    folder = cache_directory() / "images"
    tar = folder / f"base-{SUITE}-{hashlib.sha256(PACKAGES.encode()).hexdigest()[:8]}.tar"
    if tar.exists():
        return tar
    mirror = os.environ.get("AWSSTS_DEBIAN_MIRROR", MIRROR)
    with tempfile.TemporaryDirectory(prefix="awssts-base-") as scratch:
        print(f"Making a base image of {SUITE}'s packages from {mirror}: about a minute", file=sys.stderr)
        root, part = Path(scratch) / "root", tar.with_suffix(".part")
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root, mirror)
        left_out = ("./proc/*", "./sys/*", "./dev/*", "./var/cache/apt/*", "./var/lib/apt/lists/*")
        run(
            "tar", "--create", f"--file={part}", f"--directory={root}", *(f"--exclude={each}" for each in left_out), "."
        )
        part.rename(tar)
    return tar


def revision() -> str:
    """The commit that is checked out."""
    command = ("/usr/bin/env", "git", "rev-parse", "HEAD")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def buildah(store: str, *arguments: str | Path, input: str | None = None) -> None:  # noqa: A002 - as subprocess calls it
    """buildah with a store of its own: vfs works also where layers can't be stacked."""
    where = ("--storage-driver=vfs", f"--root={store}/root", f"--runroot={store}/run")
    run("buildah", *where, *arguments, input=input)


def run(*command: str | Path, input: str | None = None) -> None:  # noqa: A002 - as subprocess calls it
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=input)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise ReportedError(f"{' '.join(map(str, command[:2]))} failed:\n{said}")


if __name__ == "__main__":
    try:
        print(archive())
    except ReportedError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
