"""What a node takes that this project doesn't build."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from testbed.process import ReportedError

PROGRAMS = {  # program: Debian package
    "containerd": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}
NETWORK_PLUGINS = "containernetworking-plugins"
NETWORK_PLUGIN_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))  # Debian's, everybody else's


def check() -> None:
    """Says at once, and with the remedy, why no node can run here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ReportedError("A node takes Linux and root: it makes namespaces, mounts and cgroups")
    missing = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if network_plugins() is None:
        missing.add(NETWORK_PLUGINS)
    if missing:
        raise ReportedError(f"A node takes more programs: apt-get install {' '.join(sorted(missing))}")


def met() -> bool:
    """Whether a node can run here."""
    try:
        check()
    except ReportedError:
        return False
    return True


def network_plugins() -> Path | None:
    return next((folder for folder in NETWORK_PLUGIN_FOLDERS if (folder / "ptp").exists()), None)
