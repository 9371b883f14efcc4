#!/bin/sh
# Makes .venv with everything that uv.lock names, from nothing but a Python on PATH.
# PYTHON=/path/to/python chooses one.
set -eu
cd "$(dirname "$0")/.."
venv=.venv

fits() { # versions that pyproject.toml allows; a pyenv shim may be there and not work
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

can_make_venvs() { # Debian has this in a package of its own
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

find_python() {
    without_venv=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        if ! fits "$candidate"; then
            continue
        elif can_make_venvs "$candidate"; then
            echo "$candidate"
            return
        fi
        without_venv=$candidate
    done
    if [ -n "$without_venv" ]; then
        echo "$without_venv has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2
    else
        echo "Python 3.11, 3.12 or 3.13 is needed, and there is none on PATH${PYTHON:+ (PYTHON is $PYTHON)}." >&2
        echo "On Debian 12 and Ubuntu 24.04: apt-get install python3 python3-venv" >&2
    fi
    return 1
}

trust_the_machine() { # a company's proxy may sign with an authority that only the machine's own store has
    for store in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
        if [ -s "$store" ]; then
            export PIP_CERT="${PIP_CERT:-$store}" UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
            return
        fi
    done
}

trust_the_machine
uv_version=$(sed -n '/^name = "uv"$/{n;s/^version = "\(.*\)"$/\1/p;}' uv.lock)
if ! fits "$venv/bin/python"; then
    python=$(find_python)
    echo "Making $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
if [ "$("$venv/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" != "$uv_version" ]; then
    echo "Installing uv $uv_version"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
fi
echo "Installing what uv.lock names"
unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT # another environment's, perhaps
UV_PYTHON_DOWNLOADS=never "$venv/bin/uv" sync --locked --quiet --python "$venv/bin/python"
touch "$venv/.ready"
