#!/usr/bin/env bash
# Renews the lock: update.sh PYTHON LOCK writes the newest versions that pyproject.toml allows, with their checksums, for all
# supported versions of Python at once. pip can do that for its own Python only, so uv is fetched for this moment.
set -euo pipefail
python=$1
lock=$2

scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
"$python" -m venv "$scratch"
"$scratch/bin/python" -m pip install --quiet --quiet --disable-pip-version-check uv

# uv does not read the configuration of pip.
index=$("$scratch/bin/python" -m pip config get global.index-url 2>/dev/null || true)
if [ -n "$index" ]; then
    export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
fi
"$scratch/bin/uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
    --custom-compile-command 'make update' --extra dev --extra embedded --output-file "$lock" pyproject.toml
echo "update: $lock is new; make test says whether all is well with it"
