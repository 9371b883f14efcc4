"""The token file: made once, read again when it changes, and no token where there is no good one."""

import os
import stat
import threading
from pathlib import Path

import pytest

from awssts.domain.errors import AwsstsError
from awssts.entry.sidecar.token import LONGEST, TokenFile, create


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token"


def test_created_for_all_of_the_pod_to_read(path: Path) -> None:
    umask = os.umask(0o077)
    try:
        create(path)
    finally:
        os.umask(umask)
    text = path.read_text()
    assert len(text) >= 43  # 32 random bytes
    assert text == text.strip()  # botocore and Go refuse a line's end
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert os.listdir(path.parent) == ["token"]  # noqa: PTH208
    assert TokenFile(path).current() == text.encode()


def test_one_that_is_there_stays(path: Path) -> None:
    path.write_text("somebody's own token")
    create(path)
    assert path.read_text() == "somebody's own token"


def test_each_is_another(tmp_path: Path) -> None:
    for name in "ab":
        create(tmp_path / name)
    assert (tmp_path / "a").read_text() != (tmp_path / "b").read_text()


def test_it_appears_whole_and_never_changes(path: Path) -> None:
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if path.exists():
                seen.add(path.read_text())

    watching = threading.Thread(target=watch)
    watching.start()
    making = [threading.Thread(target=create, args=(path,)) for _ in range(8)]
    for thread in making:
        thread.start()
    for thread in making:
        thread.join()
    ended.set()
    watching.join()
    assert seen | {path.read_text()} == {path.read_text()}


def test_no_folder_to_write_in(tmp_path: Path) -> None:
    with pytest.raises(
        AwsstsError, match=r"--create-token can't write .*: No such file or directory; mount an emptyDir"
    ):
        create(tmp_path / "none" / "token")


def test_a_change_counts_at_once(path: Path) -> None:
    path.write_text("the first token of all")
    token = TokenFile(path)
    assert token.current() == b"the first token of all"
    path.write_text("another token, longer\n")
    assert token.current() == b"another token, longer"
    successor = path.with_name("next")
    successor.write_text("one that was renamed !")
    successor.rename(path)
    assert token.current() == b"one that was renamed !"


@pytest.mark.parametrize("content", [b"", b"\n", b"too short", b"x" * (LONGEST + 1)])
def test_no_good_token(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(content)
    token = TokenFile(path)
    assert (token.current(), token.current()) == (None, None)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith("a token has 16 to 4096 characters")


def test_gone_and_there_again(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    token = TokenFile(path)
    assert (token.current(), token.current()) == (None, None)
    path.write_text("a token of some length")
    assert token.current() == b"a token of some length"
    path.unlink()
    assert (token.current(), token.current()) == (None, None)
    assert caplog.messages == [f"token file {path}: No such file or directory"] * 2


def test_a_named_pipe_does_not_hang(path: Path) -> None:
    os.mkfifo(path)
    assert TokenFile(path).current() is None


def test_binary_tokens_are_compared_as_they_are(path: Path) -> None:
    path.write_bytes(bytes(range(128, 160)))
    assert TokenFile(path).current() == bytes(range(128, 160))
