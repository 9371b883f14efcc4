"""A machine for the node: its own network, and its own /run, /var/lib and /var/log.

Mounts, interfaces, firewall rules and sockets of containerd, kubelet and pods belong to its namespaces. The
kernel removes them with the last process, after a SIGKILL too: there is nothing to tidy up on the host.
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from testbed.process import Process, ReportedError, wait_until

LINK = "10.251.{}"  # the cable's network: .1 is the host, .2 the machine
PODS = "10.252.{}.0/24"

# A /run of its own gives sockets their usual short paths, and keeps two machines' containerd apart.
PREPARE = """
set -e
mkdir "$0/lib" "$0/log"
mount -t tmpfs tmpfs /run
mount --bind "$0/lib" /var/lib
mount --bind "$0/log" /var/log
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
"""


class Machine:
    """Namespaces, held open by a process that sleeps; other programs are started in them."""

    host: str  # address of the host, for the machine and its pods
    address: str
    pods: str  # network of the pods; the host has a route to it

    def __init__(self, state: Path, logs: Path) -> None:
        self.state = state
        self._logs = logs
        hold = ["unshare", "--net", "--mount", "--propagation=private", "sleep", "infinity"]
        self._holder = Process("machine", hold, log=logs / "machine.log")
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._holder)
            wait_until(self._separate, timeout=10, what="the node's namespaces", process=self._holder)
            self.state.mkdir()
            self.run("sh", "-c", PREPARE, self.state)
            self._connect()
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def process(self, name: str, *command: str | Path) -> Process:
        return Process(name, [*self._inside, *command], log=self._logs / f"{name}.log")

    def run(self, *command: str | Path) -> None:
        run(*self._inside, *command)

    def succeeds(self, *command: str | Path) -> bool:
        return succeeds(*self._inside, *command)

    def stacks_layers(self) -> bool:
        """Whether images' layers can be stacked: elsewhere, as on another such stack, they must be copied."""
        lower, upper, work, merged = (self.state / "overlay" / name for name in ("l", "u", "w", "m"))
        for folder in (lower, upper, work, merged):
            folder.mkdir(parents=True)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        return self.succeeds("mount", "-t", "overlay", "overlay", "-o", options, merged)

    @property
    def _inside(self) -> list[str]:
        return ["nsenter", f"--target={self._holder.pid}", "--net", "--mount", "--"]

    def _separate(self) -> bool:
        """unshare has become sleep only when it's through, private mounts included."""
        return Path(f"/proc/{self._holder.pid}/comm").read_text().strip() == "sleep"

    def _connect(self) -> None:
        """A cable to the host, and the host's route to the pods, with the first number that nobody uses."""
        holder = str(self._holder.pid)
        cable = f"awssts{holder}"
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", holder)
        run("ip", "link", "set", cable, "up")
        number = next((n for n in range(256) if self._claims(cable, LINK.format(n))), None)
        if number is None:
            raise ReportedError("All 256 networks for nodes are taken: end some clusters")
        self.host, self.address = f"{LINK.format(number)}.1", f"{LINK.format(number)}.2"
        self.pods = PODS.format(number)
        run("ip", "address", "add", f"{self.host}/32", "dev", cable)
        self.run("ip", "address", "add", f"{self.address}/30", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "default", "via", self.host)
        run("ip", "route", "add", self.pods, "via", self.address, "dev", cable)

    def _claims(self, cable: str, link: str) -> bool:
        """Adding a route that is there already fails: so two machines never get one number."""
        return succeeds("ip", "route", "add", f"{link}.0/30", "dev", cable)


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReportedError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


def succeeds(*command: str | Path) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
