"""What runs in the pods: a program that has credentials and asks AWS who it is, each second, until it is ended.

Prints a line of JSON each time: the key it has, the seconds that are left, whom AWS takes it for. It takes what its
environment tells of, as an SDK does: a sidecar, which its client asks by itself; a folder with files, for which it
builds its client anew each time, as a program that takes its credentials from a file has to; or variables.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import boto3

FOLDER = os.environ.get("CREDENTIALS_FOLDER")
SIDECAR = "AWS_CONTAINER_CREDENTIALS_FULL_URI" in os.environ
ONCE = "--once" in sys.argv
LIFE = next((float(each.partition("=")[2]) for each in sys.argv if each.startswith("--seconds=")), float("inf"))

REGION = "eu-central-1"
kept = boto3.Session(region_name=REGION)
client = kept.client("sts")


def look() -> dict[str, object]:
    session = kept if SIDECAR else boto3.Session(region_name=REGION)
    arn = (client if SIDECAR else session.client("sts")).get_caller_identity()["Arn"]
    held = session.get_credentials()
    if SIDECAR:
        expiration = held._expiry_time  # noqa: SLF001 - the client's own, which nothing else tells
    elif FOLDER:
        expiration = datetime.fromisoformat(json.loads((Path(FOLDER) / "credentials.json").read_text())["Expiration"])
    else:
        expiration = datetime.fromisoformat(os.environ["AWS_CREDENTIAL_EXPIRATION"])
    left = expiration - datetime.now(UTC)
    return {"key": held.access_key, "left": round(left.total_seconds()), "arn": arn}


end = time.monotonic() + LIFE
while time.monotonic() < end:
    try:
        found = look()
    except Exception as error:  # noqa: BLE001 - a pod without credentials is what is looked for
        found = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(f"{json.dumps({'at': round(time.time(), 1), **found})}\n")
    sys.stdout.flush()
    if ONCE:
        break
    time.sleep(1 - time.time() % 1)
