"""Names that a document shows lead to a program of this machine: by a proxy, as HTTPS_PROXY names one."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class Names:
    """Answers CONNECT to any name and port with a connection to one port of loopback, and passes the bytes on."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)  # close() alone leaves accept() waiting
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listening.accept()
                threading.Thread(target=self._connect, args=(caller,), daemon=True).start()

    def _connect(self, caller: socket.socket) -> None:
        head = b""
        with caller, suppress(OSError):
            while b"\r\n\r\n" not in head:
                head += caller.recv(1)
            self.asked.append(head.split()[1].decode())
            with socket.create_connection(("127.0.0.1", self._port)) as there:
                caller.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=passed_on, args=(there, caller), daemon=True)
                back.start()
                passed_on(caller, there)
                back.join()


def passed_on(source: socket.socket, sink: socket.socket) -> None:
    """All that comes, and then the end."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
