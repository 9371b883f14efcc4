"""Nothing that the testbed starts outlives it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from testbed.process import Process, ReportedError, free_port, wait_until

ROOT = Path(__file__).parents[2]

# A parent, a child, and a child in a session of its own, as containerd starts its shims. Each notes its pid.
FAMILY = """
note='echo $$ > "$0/$1.new"; mv "$0/$1.new" "$0/$1"'
sh -c "$note; exec sleep 600" "$0" near &
setsid sh -c "$note; exec sleep 600" "$0" far &
set -- parent; eval "$note"; wait
"""


def running(pid: int) -> bool:
    """Neither gone nor a zombie that only waits for its parent to look."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def family(directory: Path) -> list[int]:
    names = [directory / name for name in ("parent", "near", "far")]
    wait_until(lambda: all(name.exists() for name in names), timeout=10, what="the family's pids")
    pids = [int(name.read_text()) for name in names]
    assert all(running(pid) for pid in pids)
    return pids


def all_gone(pids: list[int]) -> None:
    wait_until(lambda: not any(running(pid) for pid in pids), timeout=10, what=f"the end of {pids}")


def shell(script: str, directory: Path, *arguments: str | Path) -> Process:
    return Process("shell", ["sh", "-c", script, *arguments], log=directory / "shell.log")


def test_output_and_return_code(tmp_path: Path) -> None:
    with shell("echo out; echo err >&2; exit 3", tmp_path) as process:
        wait_until(lambda: not process.alive, timeout=10, what="the end")
        assert process.returncode == 3
    assert process.log.read_text() == "out\nerr\n"


def test_environment_is_the_given_one(tmp_path: Path) -> None:
    process = Process("env", ["/usr/bin/env"], log=tmp_path / "env.log", env={"ONLY": "this"})
    process.start()
    wait_until(lambda: not process.alive, timeout=10, what="the end")
    process.stop()
    lines = set(process.log.read_text().splitlines())
    assert {"ONLY=this"} <= lines <= {"ONLY=this", "LC_CTYPE=C.UTF-8"}  # Python adds the latter (PEP 538)


def test_stop_lets_a_program_end_in_its_own_way(tmp_path: Path) -> None:
    with shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done", tmp_path) as process:
        wait_until(lambda: "ready" in process.log_tail(), timeout=10, what="ready", process=process)
    assert (process.returncode, process.log.read_text()) == (7, "ready\nbye\n")


def test_stop_insists(tmp_path: Path) -> None:
    process = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done", tmp_path)
    process.start()
    wait_until(lambda: "ready" in process.log_tail(), timeout=10, what="ready", process=process)
    process.stop(timeout=0.2)
    assert process.returncode == -signal.SIGKILL


def test_a_program_can_be_started_again(tmp_path: Path) -> None:
    process = shell("echo started; exec sleep 600", tmp_path)
    pids = []
    for count in (1, 2):
        process.start()
        pids.append(process.pid)
        wait_until(lambda n=count: process.log.read_text().count("started") == n, timeout=10, what="started")
        process.kill()
        assert process.returncode == -signal.SIGKILL
    assert pids[0] != pids[1]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_an_end_includes_the_whole_family(tmp_path: Path, how: str) -> None:
    process = shell(FAMILY, tmp_path, tmp_path)
    process.start()
    pids = family(tmp_path)
    assert process.pid == pids[0]
    getattr(process, how)()
    assert not any(running(pid) for pid in pids)


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    process = shell(FAMILY, tmp_path, tmp_path)
    process.start()
    pids = family(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    all_gone(pids)
    process.stop()


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "SIGKILL of the group", "exit", "forked copy"])
def test_family_ends_with_the_testbed(tmp_path: Path, end: str) -> None:
    """The testbed is a program of its own here, ended in each way that a testbed may end."""
    (tmp_path / "run.py").write_text(
        textwrap.dedent("""
        import os, sys, time
        from pathlib import Path
        from testbed.process import Process

        directory, family, end = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
        process = Process("family", ["sh", "-c", family, directory], log=directory / "log")
        process.start()
        if end == "forked copy":
            os.fork()
        if end == "exit":
            while not all((directory / name).exists() for name in ("parent", "near", "far")):
                time.sleep(0.01)
            os._exit(0)
        time.sleep(600)
        """)
    )
    testbed = subprocess.Popen(  # noqa: S603 - this file's own program
        [sys.executable, tmp_path / "run.py", tmp_path, FAMILY, end],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        pids = family(tmp_path) if end != "exit" else []
        if end == "SIGKILL of the group":
            os.killpg(testbed.pid, signal.SIGKILL)
        elif end != "exit":
            testbed.send_signal(signal.SIGTERM if end == "SIGTERM" else signal.SIGKILL)
        testbed.wait(timeout=10)
        all_gone(pids or [int((tmp_path / name).read_text()) for name in ("parent", "near", "far")])
    finally:
        with suppress(ProcessLookupError):
            os.killpg(testbed.pid, signal.SIGKILL)  # the forked copy, and all of it after a failure
        testbed.wait()


def test_family_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """The trap of PR_SET_PDEATHSIG: it fires when the starting thread ends."""
    process = shell(FAMILY, tmp_path, tmp_path)
    starter = threading.Thread(target=process.start)
    starter.start()
    starter.join()
    pids = family(tmp_path)
    assert all(running(pid) for pid in pids)
    process.stop()


def test_errors_tell_why(tmp_path: Path) -> None:
    with pytest.raises(ReportedError, match="no program 'no-such-program'"):
        Process("absent", ["no-such-program"], log=tmp_path / "log").start()
    with pytest.raises(ReportedError, match="absent was not started"):
        _ = Process("absent", ["no-such-program"], log=tmp_path / "log").pid
    with (
        shell("echo port is taken; exit 4", tmp_path) as process,
        pytest.raises(ReportedError, match=r"(?s)the cluster: shell ended with code 4.*port is taken"),
    ):
        wait_until(lambda: False, timeout=10, what="the cluster", process=process)
    with pytest.raises(ReportedError, match=r"the moon: still not after 0\.01 s"):
        wait_until(lambda: False, timeout=0.01, what="the moon")


def test_free_port_can_be_listened_on() -> None:
    ports = {free_port() for _ in range(20)}
    assert all(20000 <= port < 30000 for port in ports)
    assert len(ports) > 15
    with socket.create_server(("127.0.0.1", ports.pop())):
        pass
