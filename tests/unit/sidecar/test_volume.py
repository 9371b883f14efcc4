"""A Secret as kubelet mounts it is read whole, while it changes thousands of times, and when it is broken."""

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from awssts.domain.vending import LARGEST, Unusable, read
from awssts.entry.sidecar.volume import LINK, Volume
from testbed.mount import MountedSecret
from tests.unit.sidecar.samples import process_file, profile, variables, vended

FORMATS = (variables, process_file, profile)
SWAPS = 3000


@pytest.fixture
def mounted(tmp_path: Path) -> MountedSecret:
    return MountedSecret(tmp_path)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def test_each_version_is_read_once(mounted: MountedSecret, volume: Volume) -> None:
    for number in range(3):
        mounted.write(process_file(vended(number)))
        assert volume.changed() == process_file(vended(number))
        assert volume.changed() is None


def test_all_formats_and_nothing_else(mounted: MountedSecret, volume: Volume) -> None:
    formats = {name: content for form in FORMATS for name, content in form(vended()).items()}
    mounted.write(formats | {"config": b"[default]", "seed": b"secret"})
    assert volume.changed() == formats


def test_what_could_not_be_used_is_read_again(mounted: MountedSecret, volume: Volume) -> None:
    mounted.write({"credentials.json": b"{"})
    volume.changed()
    volume.forget()
    assert volume.changed() == {"credentials.json": b"{"}


@pytest.fixture
def in_memory() -> Iterator[MountedSecret]:
    """Where kubelet has Secrets, too; thousands of versions take seconds there."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:  # noqa: S108
        yield MountedSecret(Path(folder))


def test_swaps_without_end_never_mix_two_credentials(in_memory: MountedSecret) -> None:
    """A thread swaps as kubelet does; four files of a version belong together."""
    mounted, volume = in_memory, Volume(in_memory.folder)
    mounted.write(variables(vended(0)))

    def swap() -> None:
        for number in range(1, SWAPS + 1):
            mounted.write(variables(vended(number)))

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen = set()
    while swapping.is_alive():
        if (files := volume.changed()) is not None:
            found = read(files)
            number = int(found.access_key_id[-9:])
            assert found == vended(number)
            seen.add(number)
    swapping.join()
    assert len(seen) > 10
    found = read(volume.changed() or variables(vended(max(seen))))
    assert found == vended(SWAPS)


def test_a_version_that_goes_while_it_is_read(
    mounted: MountedSecret, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first file of the old version comes the new one, and the old one is removed."""
    mounted.write(variables(vended(1)))
    genuine = os.read

    def late(file: int, size: int) -> bytes:
        content = genuine(file, size)
        if content == vended(1).access_key_id.encode():
            mounted.write(variables(vended(2)))
        return content

    monkeypatch.setattr(os, "read", late)
    assert volume.changed() == variables(vended(2))


def test_one_that_never_rests_is_left_for_the_next_look(
    mounted: MountedSecret, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted.write(variables(vended(1)))
    genuine = os.read

    def restless(file: int, size: int) -> bytes:
        mounted.write(variables(vended(2)))
        return genuine(file, size)

    with monkeypatch.context() as patched:
        patched.setattr(os, "read", restless)
        assert volume.changed() is None
    assert volume.changed() == variables(vended(2))


def test_a_folder_that_nobody_mounted(tmp_path: Path, volume: Volume) -> None:
    """Without the link, files don't belong together: only the one with everything in it is read."""
    for name, content in (variables(vended(1)) | profile(vended(1))).items():
        (tmp_path / name).write_bytes(content)
    assert volume.changed() == {}
    (tmp_path / "credentials.json").write_bytes(process_file(vended(2))["credentials.json"])
    assert volume.changed() == process_file(vended(2))
    assert volume.changed() is None


def test_it_may_be_mounted_later(tmp_path: Path, volume: Volume) -> None:
    assert volume.changed() == {}
    MountedSecret(tmp_path).write(process_file(vended(1)))
    assert volume.changed() == process_file(vended(1))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Volume(tmp_path / "none").changed()


def test_no_files_are_left_open(mounted: MountedSecret, volume: Volume) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for number in range(20):
        mounted.write(variables(vended(number)))
        volume.changed()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_files_that_are_none(mounted: MountedSecret, volume: Volume, tmp_path: Path) -> None:
    """A named pipe would hang, a folder can't be read, a huge file is not wanted whole."""
    mounted.write({"AWS_ACCESS_KEY_ID": b"x" * (3 * LARGEST)})
    os.mkfifo(tmp_path / LINK / "credentials.json")
    (tmp_path / LINK / "credentials").mkdir()
    files = volume.changed()
    assert files is not None
    assert {name: len(content) for name, content in files.items()} == {
        "credentials.json": 0,
        "credentials": 0,
        "AWS_ACCESS_KEY_ID": LARGEST + 1,
    }
    with pytest.raises(Unusable):
        read(files)
