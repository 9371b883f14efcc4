"""What ``awssts login`` leaves on a person's machine: a cache of its own, and profiles in ~/.aws/credentials."""

import configparser
import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from awssts.domain import held
from awssts.domain.errors import AwsstsError
from awssts.domain.held import CredentialsError, Held

EXPIRES = "x_security_token_expires"  # as other tools name it: the AWS SDKs pass it over
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token", EXPIRES)
_HEAD = re.compile(r"\s*\[(.+)\]")  # what follows is passed over, as by Python's configparser, which botocore uses


class FileError(AwsstsError):
    """A file can't be written, or must not be."""


def credentials_file() -> Path:
    """Return the file that the AWS SDKs read."""
    return Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()


def cached(*named: str) -> Path:
    """Return the file that keeps the credentials of that login."""
    name = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:32]
    return Path("~/.aws/awssts/cache").expanduser() / f"{name}.json"


def keep(path: Path, credentials: Held) -> None:
    """Write credentials into the cache.

    Raises:
        FileError: it can't be written.
    """
    _replace(path, json.dumps(credentials.process() | {"Region": credentials.region}) + "\n")


def kept(path: Path) -> Held | None:
    """Return the credentials in the cache; None where there are none."""
    try:
        text = path.read_text()
        return held.read({"credentials.json": text, "AWS_REGION": str(json.loads(text).get("Region") or "")})
    except (OSError, ValueError, AttributeError, CredentialsError):
        return None


def write_profile(path: Path, profile: str, credentials: Held, *, force: bool) -> None:
    """Put credentials into a profile of the file; everything else in it stays as it is, comments too.

    Raises:
        FileError: the file can't be read or written, or SDKs couldn't read it, or the profile holds long-term keys and
            ``force`` is not given.
    """
    try:
        text = path.read_text() if path.exists() else ""
    except (OSError, ValueError) as error:
        raise FileError(f"{path} can't be read: {getattr(error, 'strerror', None) or 'it is not text'}") from None
    try:
        there = _profiles(text)
    except configparser.Error as error:
        raise FileError(f"{path} has a fault{_place(error)}, so that AWS SDKs can't read it: mend it first") from None
    have = there.get(profile, {})
    if "aws_access_key_id" in have and "aws_session_token" not in have and not force:
        raise FileError(f"profile {profile} in {path} holds long-term keys: choose another, or give --force")
    values = (*credentials.parts, held.written(credentials.expiration))
    fresh = dict(zip(("aws_access_key_id", "aws_secret_access_key", "aws_session_token", EXPIRES), values, strict=True))
    text = _with_profile(text.splitlines(), profile, fresh)
    others = {key: value for key, value in have.items() if key not in _KEYS}
    if not _means(text, there | {profile: others | fresh}):
        raise FileError(f"profile {profile} in {path} can't be replaced as it is written: take its lines out")
    _replace(path, text)


def _with_profile(lines: list[str], profile: str, fresh: Mapping[str, str]) -> str:
    """Return the file with those keys in the profile's section, or with a section for them at its end."""
    start, end = _section(lines, profile)
    before, head = lines[:start], lines[start : start + 1] or [f"[{profile}]"]
    if before and before[-1].strip() and start == len(lines):
        before = [*before, ""]
    kept = [line for line in lines[start + 1 : end] if _key(line) not in _KEYS]
    return "\n".join([*before, *head, *(f"{name} = {value}" for name, value in fresh.items()), *kept, *lines[end:], ""])


def _section(lines: list[str], profile: str) -> tuple[int, int]:
    """Return where the profile's section begins and ends; both at the end where there is none."""
    heads = {index: found[1] for index, line in enumerate(lines) if (found := _HEAD.match(line))}
    start = next((index for index, name in heads.items() if name == profile), len(lines))
    return start, next((index for index in heads if index > start), len(lines))


def _key(line: str) -> str:
    return re.split("[=:]", line, maxsplit=1)[0].strip().lower()


def _profiles(text: str) -> dict[str, dict[str, str]]:
    """Return what the AWS SDKs read, as botocore does."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def _means(text: str, profiles: Mapping[str, Mapping[str, str]]) -> bool:
    try:
        return _profiles(text) == profiles
    except configparser.Error:
        return False


def _place(error: configparser.Error) -> str:
    """Return where it is; its own text quotes the line."""
    lines = getattr(error, "errors", None) or [(getattr(error, "lineno", None), "")]
    return f" in line {lines[0][0]}" if lines[0][0] else ""


def _replace(path: Path, text: str) -> None:
    """Write the file whole, readable by its owner alone; whoever reads meanwhile sees the old one or the new one."""
    path = Path(os.path.realpath(path))  # a link stays a link
    temporary = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise FileError(f"{path} can't be written: {error.strerror}") from None
