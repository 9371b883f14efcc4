"""Runs one program and sees to it that the program, and all it started, ends with whoever asked for it.

testbed.process starts it as a script, once per program, with a socket as standard input: the program's pid is
said there, wishes are heard there. A parent that is gone closes the socket and its pidfd, whatever ended it:
SIGKILL too, and also when a forked copy of the parent still holds the socket. As subreaper the supervisor
stays the ancestor of processes that leave their group and session, as containerd's shims do.

Imports little: a testbed runs several of these beside a benchmark.
"""

import ctypes
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

TERMINATE, KILL = b"t", b"k"

CONTROL = 0
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    grace, command = float(sys.argv[1]), sys.argv[2:]
    # Only Linux has prctl; elsewhere no more than the program's own process group is ended.
    prctl = getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wakeup = watch_for_ended_children()
    executed, closed_by_exec = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        execute(command)
    os.close(closed_by_exec)
    os.read(executed, 1)  # from here on a signal reaches the program, not this script's handlers
    os.write(CONTROL, f"{child}\n".encode())
    status = supervise(child, wakeup, grace)
    end_descendants(child)
    leave_as(os.waitstatus_to_exitcode(status))


def watch_for_ended_children() -> int:
    """A descriptor that is readable once a child has ended.

    Signals that a terminal or a service manager sends to everyone are left to the parent, which ends its
    programs in order.
    """
    wakeup, written = os.pipe()
    for end in (wakeup, written):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return wakeup


def execute(command: list[str]) -> None:
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    try:
        os.execvp(command[0], command)  # noqa: S606 - a shell would only stand in the way of signals
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def supervise(child: int, wakeup: int, grace: float) -> int:
    """Waits for the child's end and carries out the parent's wishes; returns the child's wait status."""
    parent = os.pidfd_open(os.getppid()) if hasattr(os, "pidfd_open") else CONTROL
    watched = {wakeup, CONTROL, parent}
    deadline = float("inf")
    while True:
        left = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
        ready = select.select(watched, [], [], left)[0]
        if wakeup in ready:
            os.read(wakeup, 4096)
            if (status := reap(child)) is not None:
                return status
        wish = hear() if CONTROL in ready else None
        if wish == b"" or (parent != CONTROL and parent in ready):
            os.kill(child, signal.SIGTERM)
            deadline = time.monotonic() + grace
            watched = {wakeup}
        elif wish == TERMINATE:
            os.kill(child, signal.SIGTERM)
        elif wish == KILL or time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)


def hear() -> bytes:
    try:
        return os.read(CONTROL, 1)
    except ConnectionResetError:  # the parent was gone before it read the pid
        return b""


def reap(child: int) -> int | None:
    """Collects what has ended; the child's wait status if it's among them."""
    found = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if ended[0] == child:
                found = ended[1]
    return found


def end_descendants(group: int) -> None:
    """Whoever the program left behind: its group and, on Linux, orphans adopted by this subreaper."""
    with suppress(ProcessLookupError, PermissionError):  # nobody left in it
        os.killpg(group, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            for pid in descendants():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended while we looked
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found = list(children.get(os.getpid(), []))
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def leave_as(code: int) -> None:
    """Ends the way the program did, so that the parent sees the program's own return code."""
    if code < 0:
        with suppress(OSError):  # SIGKILL has no handler to reset
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
