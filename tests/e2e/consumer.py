"""What runs in the pods: a program that has credentials and asks AWS who it is, each second, until it is ended.

Prints a line of JSON each time: the key it has, the seconds that are left, whom AWS takes it for. It builds its client
anew each time, as a program that takes its credentials from a file has to.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import boto3

FOLDER = os.environ.get("CREDENTIALS_FOLDER")


def look() -> dict[str, object]:
    if FOLDER:
        session = boto3.Session(region_name="eu-central-1")
        held = session.get_credentials()
        key = held.access_key if held else None
        expiration = json.loads((Path(FOLDER) / "credentials.json").read_text())["Expiration"]
    else:
        session, key = boto3.Session(), os.environ["AWS_ACCESS_KEY_ID"]
        expiration = os.environ["AWS_CREDENTIAL_EXPIRATION"]
    left = datetime.fromisoformat(expiration) - datetime.now(UTC)
    arn = session.client("sts").get_caller_identity()["Arn"]
    return {"key": key, "left": round(left.total_seconds()), "arn": arn}


while True:
    try:
        found = look()
    except Exception as error:  # noqa: BLE001 - a pod without credentials is what is looked for
        found = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(f"{json.dumps({'at': round(time.time(), 1), **found})}\n")
    sys.stdout.flush()
    if "--once" in sys.argv:
        break
    time.sleep(1)
