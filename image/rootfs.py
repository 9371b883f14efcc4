"""Collects what the image consists of: a Python environment, its interpreter, and the libraries that both load.

    python3 rootfs.py ENVIRONMENT TARGET

No shell, no package manager, no program but Python gets into TARGET. What AWS's SDK ships for the services that
awssts never calls stays out, too: 28 of botocore's 30 MB. Files that a Debian package owns are listed as Debian's
"distroless" images do it (var/lib/dpkg/status.d), so that scanners of vulnerabilities see them.
"""

import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

SERVICES = {"sts", "iam"}
STANDARD = ("ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo", "config-*", "venv")
USERS = "root:x:0:0:root:/:/sbin/nologin\nawssts:x:65532:65532:awssts:/home/awssts:/sbin/nologin\n"
GROUP = "root:x:0:\nawssts:x:65532:\n"
LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")
SELDOM = re.compile(r"/kubernetes/(aio/)?client/(api|models)/")
UNNEEDED = shutil.ignore_patterns("__pycache__", *STANDARD)


def main(environment: Path, target: Path) -> None:
    """Makes TARGET, which must not be there."""
    interpreter = Path(sys.executable).resolve()
    standard = Path(sysconfig.get_path("stdlib")).resolve()
    copy_tree(standard, target, UNNEEDED)
    trim(environment)
    copy_tree(environment, target, shutil.ignore_patterns("__pycache__", "activate*", "Activate*", "deactivate*"))
    for path in (interpreter, *libraries([interpreter, *shared_objects(target)], target)):
        copy(path, target)
    link_to(interpreter, target)
    for path in (
        Path("/etc/ssl/certs/ca-certificates.crt"),
        Path("/etc/ld.so.conf"),
        *Path("/etc/ld.so.conf.d").iterdir(),
    ):
        copy(path, target)
    subprocess.run(["ldconfig", "-r", target], check=True)
    write(target / "etc/passwd", USERS)
    write(target / "etc/group", GROUP)
    write(target / "etc/nsswitch.conf", "hosts: files dns\n")
    for folder, mode in (("tmp", 0o1777), ("home/awssts", 0o755)):
        (target / folder).mkdir(parents=True)
        (target / folder).chmod(mode)
    list_packages(target)
    compile_modules(target)


def compile_modules(target: Path) -> None:
    """Byte code for all but the thousands of modules of Kubernetes' client of which a handful is ever imported.

    It is not checked by time stamps: those of an image's files may all be set to one date.
    """
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for path in target.rglob("*.py"):
        if path.is_file() and not SELDOM.search(str(path)):
            place = f"/{path.relative_to(target)}"
            py_compile.compile(str(path), dfile=place, doraise=True, invalidation_mode=unchecked, quiet=1)


def trim(environment: Path) -> None:
    """Takes out of botocore what describes other services."""
    data = next(environment.glob("lib/python*/site-packages/botocore/data"))
    for service in data.iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)


def copy_tree(source: Path, target: Path, ignore: object) -> None:
    shutil.copytree(source, target / source.relative_to("/"), symlinks=True, ignore=ignore, dirs_exist_ok=True)


def copy(path: Path, target: Path) -> None:
    """The file at the place where it is looked for, whatever links lead to it."""
    there = target / path.relative_to("/")
    there.parent.mkdir(parents=True, exist_ok=True)
    if not there.exists():
        shutil.copy2(path.resolve(), there)


def link_to(interpreter: Path, target: Path) -> None:
    """`python3` beside the interpreter, which may be called python3.11: the environment's link may go by either."""
    link = target / interpreter.relative_to("/").with_name("python3")
    if not link.exists():
        link.symlink_to(interpreter.name)


def shared_objects(target: Path) -> list[Path]:
    return [path for path in target.rglob("*.so*") if path.is_file() and not path.is_symlink()]


def libraries(loaded: list[Path], target: Path) -> set[Path]:
    """What the dynamic linker loads for these, itself included; what came with wheels is there already."""
    said = subprocess.run(["ldd", *loaded], capture_output=True, text=True, check=False).stdout
    if missing := set(re.findall(r"(\S+) => not found", said)):
        sys.exit(f"no such libraries: {', '.join(sorted(missing))}")
    found = {Path(os.path.normpath(path)) for path in LIBRARY.findall(said)}
    return {path for path in found if not path.is_relative_to(target)}


def list_packages(target: Path) -> None:
    """The entries of Debian's package database for what was copied; nothing where there is no dpkg."""
    if shutil.which("dpkg-query") is None:
        return
    found = [f"/{path.relative_to(target)}" for path in target.rglob("*") if path.is_file() and ".so" in path.name]
    files = [*found, *(f"/usr{path}" for path in found)]  # /lib is a link to /usr/lib, and packages name either
    owners = subprocess.run(["dpkg-query", "--search", *files], capture_output=True, text=True, check=False).stdout
    names = {line.split(": ")[0].split(":")[0] for line in owners.splitlines()} | {"ca-certificates"}
    for name in sorted(names):
        entry = subprocess.run(["dpkg-query", "--status", name], capture_output=True, text=True, check=False).stdout
        if entry:
            write(target / "var/lib/dpkg/status.d" / name, entry)


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
