"""``python -m testbed.audit``: known weaknesses of what uv.lock names, from a database in OSV's format.

The database is osv.dev's, or a mirror's (AWSSTS_OSV_URL). Where none is reached that is said, and nothing is claimed;
with AWSSTS_AUDIT=required, as for a release, it is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNREACHED = ("error sending request", "dns error", "timed out", "Failed to fetch")
REQUIRED = "required"


def verdict(code: int, said: str, *, required: bool) -> tuple[int, str]:
    """The exit code, and a line for a person, of what uv's audit said."""
    if code == 0:
        return 0, "Audited: no known weakness in what uv.lock names"
    if any(sign in said for sign in UNREACHED):
        return int(required), "Not audited: the database of weaknesses can't be reached; AWSSTS_OSV_URL names a mirror"
    return 1, f"{said}\nFailed: upgrade what is named above, or pass it over in pyproject.toml, with the reason"


def main() -> int:
    mirror = os.environ.get("AWSSTS_OSV_URL")
    command: list[str | Path] = [Path(sys.executable).with_name("uv"), "audit", "--locked", "--no-dev"]
    command += ["--preview-features=audit", *([f"--service-url={mirror}"] if mirror else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    code, line = verdict(
        done.returncode, done.stdout + done.stderr, required=os.environ.get("AWSSTS_AUDIT") == REQUIRED
    )
    print(line)
    return code


if __name__ == "__main__":
    sys.exit(main())
