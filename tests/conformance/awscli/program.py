"""Asks AWS who it is, once for each line on stdin: with a command each, as a shell script does.

The argument is the program `aws`.
"""

import json
import re
import subprocess
import sys

COMMAND = [sys.argv[1], "sts", "get-caller-identity", "--output", "json"]

for _ in sys.stdin:
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        answer = {"arn": json.loads(done.stdout)["Arn"]}
    else:
        code = re.search(r"error occurred \((\w+)\)", done.stderr)
        answer = {"error": code[1] if code else f"exit code {done.returncode}"}
        sys.stderr.write(done.stderr)
    print(json.dumps(answer), flush=True)
