"""The SDKs: what each is built with, from its lock file, and how its program is started.

What is built is kept in the cache of awssts, in a folder for each state of the sources.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cluster import toolchain
from testbed.cluster.cache import cache_directory, locked
from testbed.process import ReportedError

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = Path(__file__).parent
UV = Path(sys.executable).with_name("uv")
GO = (1, 24)  # as go.mod says
DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies"
VERSION = re.compile(r"\d+(\.\d+)+")


class Missing(Exception):  # noqa: N818 - a reason to skip, no failure
    """There is no toolchain for it on this machine."""


@dataclass(frozen=True)
class Sdk:
    """One SDK; its folder here has the program and what it is built from."""

    name: str
    title: str
    build: tuple[tuple[str, ...], ...]  # commands, run in the folder with a copy of the sources
    run: tuple[str, ...]  # in that folder, too
    version: Callable[[], str]
    tools: tuple[tuple[str, tuple[int, ...]], ...] = ()  # and the oldest version that will do
    leftovers: str = ""  # what isn't needed once it is built

    @cached_property
    def folder(self) -> Path:
        """Where it is built: other sources, another folder."""
        digest = hashlib.sha256(repr(self.build).encode())
        for file in sorted((SOURCES / self.name).iterdir()):
            digest.update(file.read_bytes())
        return cache_directory() / f"conformance-{self.name}-{digest.hexdigest()[:12]}"

    def command(self) -> list[str]:
        """How to start the program, built first where it has to be. Missing: there is nothing to build it with."""
        with locked(self.folder, what=f"the program for {self.title}"):
            if not (self.folder / ".built").exists():
                for tool, oldest in self.tools:
                    self._check(tool, oldest)
                shutil.copytree(SOURCES / self.name, self.folder, dirs_exist_ok=True)
                for command in self.build:
                    self._make(command)
                if self.leftovers:
                    shutil.rmtree(self.folder / self.leftovers)
                (self.folder / ".built").touch()
        return [part.replace("{folder}", str(self.folder)) for part in self.run]

    def _check(self, tool: str, oldest: tuple[int, ...]) -> None:
        wanted = ".".join(map(str, oldest))
        if shutil.which(tool) is None:
            raise Missing(f"{self.title} needs {tool} {wanted} or newer, and there is none on PATH")
        said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False).stdout
        found = VERSION.search(said)
        if found is None or tuple(map(int, found[0].split("."))) < oldest:
            raise Missing(f"{self.title} needs {tool} {wanted} or newer; here it is {found[0] if found else 'none'}")

    def _make(self, command: tuple[str, ...]) -> None:
        """Go comes from PyPI where there is none."""
        program = str(toolchain.go(GO)) if command[0] == "go" else command[0]
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.folder,
            env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = done.stdout[-2000:].strip()
            raise ReportedError(f"The program for {self.title} can't be built: {' '.join(command)}\n{said}")


def _named(file: str, pattern: str) -> Callable[[], str]:
    """The version that a file of the sources pins."""

    def version() -> str:
        found = re.search(pattern, (SOURCES / file).read_text())
        if found is None:
            raise ReportedError(f"{file} names no version")
        return found[1]

    return version


def _crate() -> str:
    crates = tomllib.loads((SOURCES / "rust" / "Cargo.toml").read_text())["dependencies"]
    return str(crates["aws-config"]["version"]).removeprefix("=")


SDKS = (
    Sdk(
        "boto3",
        "boto3",
        build=(),  # it is in .venv, as uv.lock has it
        run=(sys.executable, "{folder}/program.py"),
        version=lambda: installed("boto3"),
    ),
    Sdk(
        "awscli",
        "AWS CLI v1",
        build=(
            (str(UV), "venv", "--quiet", "--clear", "--python", sys.executable, "venv"),
            (
                str(UV),
                "pip",
                "install",
                "--quiet",
                "--python=venv",
                "--require-hashes",
                "--requirements=requirements.txt",
            ),
        ),
        run=(sys.executable, "{folder}/program.py", "{folder}/venv/bin/aws"),
        version=_named("awscli/requirements.txt", r"(?m)^awscli==([\d.]+)"),
    ),
    Sdk(
        "go",
        "Go v2",
        build=(("go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-o", "program", "."),),
        run=("{folder}/program",),
        version=_named("go/go.mod", r"aws-sdk-go-v2/config v([\d.]+)"),
    ),
    Sdk(
        "javascript",
        "JavaScript v3",
        tools=(("node", (20,)), ("npm", (10,))),
        build=(("npm", "ci", "--no-audit", "--no-fund"),),
        run=("node", "{folder}/program.js"),
        version=_named("javascript/package.json", r'"@aws-sdk/client-sts": "([\d.]+)"'),
    ),
    Sdk(
        "java",
        "Java v2",
        tools=(("javac", (17,)), ("mvn", (3, 6))),
        build=(
            ("mvn", "--batch-mode", "--quiet", DEPENDENCIES, "-DoutputDirectory=lib"),
            ("javac", "-cp", "lib/*", "Program.java"),
        ),
        run=("java", "-XX:TieredStopAtLevel=1", "-cp", "{folder}:{folder}/lib/*", "Program"),
        version=_named("java/pom.xml", r"<version>(2\.[\d.]+)</version>"),
    ),
    Sdk(
        "rust",
        "Rust",
        tools=(("cargo", (1, 94)),),
        build=(("cargo", "build", "--locked", "--target-dir=target"), ("cp", "target/debug/program", "program")),
        leftovers="target",  # a third of a gigabyte
        run=("{folder}/program",),
        version=_crate,
    ),
)
