"""What a program meets in a pod: the mounted Secret, the sidecar beside it, and AWS."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from awssts.domain.keys import Credentials
from awssts.domain.rendering import render
from awssts.domain.resources import Target
from testbed.mount import MountedSecret
from testbed.process import Process, free_port, wait_until
from testbed.sts.client import REGION
from tests.conformance.program import Program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.sts import StrictSts, User

HOURS = timedelta(hours=12)
ROLE = "reports"
WRONG = "not-the-token-of-this-sidecar"


class Pod:
    """A pod whose volumes are in a folder, with one program; a context that ends what it started."""

    def __init__(self, sts: StrictSts, user: User, command: Sequence[str], folder: Path) -> None:
        self._sts = sts
        self._user = user
        self._command = command
        self._folder = folder
        (folder / "home").mkdir()
        (folder / "mount").mkdir()
        self._mounted = MountedSecret(folder / "mount")
        self.sidecar = Sidecar(folder)

    # --- the Secret ------------------------------------------------------------------------------------

    def issue(self, who: str, left: timedelta = HOURS) -> Credentials:
        """Mounts new credentials in the forms that the operator writes; AWS will call them by that name.

        `left` is for how long they say that they live. AWS takes them for an hour, or until `expire`.
        """
        role = self._sts.client(self._user).assume_role(
            RoleArn=f"{self._user.arn.rpartition(':')[0]}:role/{ROLE}", RoleSessionName=who, DurationSeconds=3600
        )
        given = role["Credentials"]
        issued = Credentials(
            given["AccessKeyId"],
            given["SecretAccessKey"],
            given["SessionToken"],
            expiration=datetime.now(UTC).replace(microsecond=0) + left,
        )
        self._mounted.write(render(issued, Target(mount_path=str(self._mounted.folder)), REGION))
        if self.sidecar.alive:
            self.sidecar.wait_for(issued.access_key_id)
        return issued

    def unmount(self) -> None:
        """Nothing there, as before a Secret is made."""
        self._mounted.write({})

    def expire(self, issued: Credentials) -> None:
        """Waits until they say that they are over; AWS says so, too."""
        self._sts.expire(issued.access_key_id)
        time.sleep(max(0.0, (issued.expiration - datetime.now(UTC)).total_seconds()) + 0.2)

    # --- the program -----------------------------------------------------------------------------------

    def with_sidecar(self) -> Program:
        return self._program(
            AWS_CONTAINER_CREDENTIALS_FULL_URI=self.sidecar.uri,
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(self.sidecar.shown_token),
        )

    def with_process(self) -> Program:
        return self._program(AWS_CONFIG_FILE=str(self._mounted.folder / "config"))

    def with_file(self) -> Program:
        return self._program(AWS_SHARED_CREDENTIALS_FILE=str(self._mounted.folder / "credentials"))

    def _program(self, **variables: str) -> Program:
        settings = {
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_STS": self._sts.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,  # boto3 and the CLI know only this one
            "HOME": str(self._folder / "home"),
        }
        return Program(self._command, settings | variables, self._folder / "program.log")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sidecar.kill()


class Sidecar:
    """`awssts sidecar`, and what can happen to it."""

    def __init__(self, folder: Path) -> None:
        self._token = folder / "token"
        self.shown_token = folder / "shown-token"  # what the program shows: the same, unless the test says otherwise
        self._port = free_port()
        self.uri = f"http://127.0.0.1:{self._port}/credentials"
        options = ["--dir", str(folder / "mount"), "--token-file", str(self._token), "--create-token"]
        ports = ["--port", str(self._port), "--health-port", "0"]
        command = [sys.executable, "-m", "awssts", "sidecar", *options, *ports]
        self._process = Process("sidecar", command, log=folder / "sidecar.log")

    @property
    def alive(self) -> bool:
        return self._process.alive

    def start(self) -> None:
        """Returns once it answers, also if only that it has nothing."""
        self._process.start()
        wait_until(lambda: self._ask() is not None, timeout=30, what="the sidecar", process=self._process)
        if not self.shown_token.exists():
            self.show_right_token()

    def kill(self) -> None:
        self._process.kill()

    def stop(self) -> None:
        """Has it hang: connections open, but nobody answers. Returns once it does no more."""
        os.kill(self._process.pid, signal.SIGSTOP)
        threads = list(Path(f"/proc/{self._process.pid}/task").glob("*/stat"))
        wait_until(
            lambda: all(thread.read_text().rpartition(")")[2].split()[0] == "T" for thread in threads),
            timeout=10,
            what="the sidecar's stop",
        )

    def go_on(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def show_wrong_token(self) -> None:
        self.shown_token.write_text(WRONG)

    def show_right_token(self) -> None:
        shutil.copyfile(self._token, self.shown_token)

    def wait_for(self, access_key_id: str) -> None:
        """Until it has seen the new Secret."""
        wait_until(lambda: self._ask() == access_key_id, timeout=30, what="the new key at the sidecar")

    def _ask(self) -> str | None:
        """The key that it gives, "" for none; None if it doesn't answer."""
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
            try:
                connection.request("GET", "/credentials", headers={"Authorization": self._token.read_text()})
                return str(json.loads(connection.getresponse().read()).get("AccessKeyId", ""))
            finally:
                connection.close()
        return None
