"""Credentials that are there already: in the Secret of a request, or where it is mounted."""

import base64
import os
from pathlib import Path

import click

from awssts.adapters.kubectl import Kubectl, secret_path
from awssts.domain import names
from awssts.domain.held import CredentialsError, Held, read
from awssts.domain.overview import moment
from awssts.domain.overview import read as overview
from awssts.entry.following import found

LARGEST = 1024 * 1024  # bytes: Kubernetes allows no larger Secret
_ATTEMPTS = 3


def of_request(kubectl: Kubectl, name: str) -> Held:
    """Return the credentials of a request.

    Raises:
        ClickException: there is no such request, or it has none yet.
        CredentialsError: its Secret does not hold them whole.
        AwsstsError: the cluster can't be read.
    """
    one = overview(found(kubectl, name))
    secret = kubectl.get(secret_path(kubectl.namespace, one.secret)) if one.secret else None
    if secret is None:
        raise click.ClickException(f"{name} has no credentials: {one.reason}: {one.message}")
    annotations = secret["metadata"].get("annotations") or {}
    data = {key: _text(value) for key, value in (secret.get("data") or {}).items()}
    ends, made = moment(annotations.get(names.EXPIRATION)), annotations.get(names.CREDENTIALS_DIGEST, "")
    try:
        return read(data, ends, made)
    except CredentialsError as error:
        raise CredentialsError(f"Secret {one.secret}: {error.message}") from None


def of_directory(directory: Path) -> Held:
    """Return the credentials of a mounted Secret.

    All files are read from one version of it: kubelet makes a new folder and then changes the link ``..data``.

    Raises:
        CredentialsError: they are not there, or not whole.
    """
    for attempt in range(_ATTEMPTS):
        try:
            version = directory.joinpath("..data").resolve() if (directory / "..data").exists() else directory
            files = [path for path in version.iterdir() if path.is_file()]
            return read({path.name: _content(path) for path in files})
        except FileNotFoundError as error:  # replaced while it was read
            if attempt + 1 == _ATTEMPTS:
                raise CredentialsError(f"{directory} can't be read: {error.strerror}") from None
        except OSError as error:
            raise CredentialsError(f"{directory} can't be read: {error.strerror}") from None
        except CredentialsError as error:
            raise CredentialsError(f"{directory}: {error.message}") from None
    raise AssertionError("the last attempt returns or raises")


def _content(path: Path) -> str:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            return ""
        return file.read().decode(errors="replace")


def _text(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode()
    except ValueError:
        return ""
