"""``python -m awssts``, and the program ``awssts``.

The sidecar runs in every pod: it doesn't pay for the command line of the rest.
"""

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["sidecar"]:
        from awssts.entry.sidecar.command import main as sidecar

        sys.exit(sidecar(sys.argv[2:]))
    sys.modules["rich"] = None  # type: ignore[assignment] # structlog would load it: 6 MB for tracebacks in colour
    from awssts.entry.cli import main as rest

    rest(prog_name="awssts")


if __name__ == "__main__":
    main()
