#!/usr/bin/env bash
# Makes the virtual environment that make works in: venv.sh DIRECTORY [LOCK]. Installs the exact versions of the file LOCK,
# without one the newest that pyproject.toml allows. Takes the first Python of 3.11 or newer that can make an environment
# ($PYTHON first); as root on Debian it installs what is missing, otherwise it says what that is.
set -euo pipefail
venv=$1
lock=${2:-}

say() { printf 'venv: %s\n' "$*"; }

# Whether this interpreter is new enough and has all that a virtual environment with pip needs.
suits() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

choose() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if suits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

if ! python=$(choose); then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "needs Python 3.11 or newer with its venv module (Debian: apt-get install python3 python3-venv)" >&2
        exit 1
    fi
    say "installing python3 and python3-venv"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
    if ! python=$(choose); then
        say "this release's python3 is older than 3.11; set PYTHON to a newer one" >&2
        exit 1
    fi
fi

# A directory that stays across changes of the lock, but not across a change of the interpreter below it.
if ! "$venv/bin/python" -c '' 2>/dev/null; then
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
# Twice quiet: errors only. Warnings about somebody's configuration of pip would fill the first screen of a newcomer.
install() { "$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check "$@"; }

if [ -n "$lock" ]; then
    say "installing nodeunit and what its tests need into $venv, as $lock has it"
    install --require-hashes --requirement "$lock"
    install --no-deps --no-build-isolation --editable .
else
    say "installing nodeunit and the newest of what its tests need into $venv"
    install --upgrade --upgrade-strategy eager --editable '.[dev,embedded]'
fi
