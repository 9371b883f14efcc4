"""What is in the image, and what is not."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from awssts import __version__

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(900)  # it may have to be built first

SHELLS_AND_TOOLS = {
    "sh",
    "bash",
    "dash",
    "busybox",
    "apt",
    "dpkg",
    "perl",
    "curl",
    "wget",
    "ldconfig",
    "ldd",
    "uv",
    "pip",
}
EXECUTABLE, SETUID = 0o111, 0o6000


@dataclass
class Image:
    """A `docker save` archive, read."""

    about: dict[str, Any]
    files: list[tarfile.TarInfo] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Image:
        with tarfile.open(path) as archive:

            def member(name: str) -> bytes:
                found = archive.extractfile(name)
                assert found is not None, name
                return found.read()

            manifest = json.loads(member("manifest.json"))[0]
            image = cls(json.loads(member(manifest["Config"])))
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=io.BytesIO(member(layer))) as content:
                    image.files += content.getmembers()
        return image

    def programs(self) -> set[str]:
        """Names of what can be run."""
        return {each.name.rpartition("/")[2] for each in self.files if each.isfile() and each.mode & EXECUTABLE}


@pytest.fixture(scope="module")
def image(archive: Path) -> Image:
    return Image.read(archive)


def test_runs_as_nobody_in_particular(image: Image) -> None:
    config = image.about["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["awssts"]
    assert config["Labels"]["org.opencontainers.image.version"] == __version__


def test_has_no_shell_and_no_tools(image: Image) -> None:
    assert "awssts" in image.programs()
    assert image.programs() & SHELLS_AND_TOOLS == set()
    assert [each.name for each in image.files if each.mode & SETUID and each.isfile()] == []


def test_is_small(image: Image) -> None:
    assert sum(each.size for each in image.files) < 250e6


def test_tells_scanners_of_its_libraries(image: Image) -> None:
    listed = {each.name.rpartition("/")[2] for each in image.files if "/dpkg/status.d/" in each.name}
    assert {"libc6", "libssl3", "ca-certificates"} <= listed
