"""What runs in a pod that tries addresses, each host:port, and prints a line of JSON with what came of each."""

import json
import socket
import sys


def outcome(address: str) -> str:
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except ConnectionRefusedError:
        return "refused"  # by the machine itself: packets got through
    except OSError:
        return "nothing"
    return "reached"


sys.stdout.write(f"{json.dumps({address: outcome(address) for address in sys.argv[1:]})}\n")
