#!/usr/bin/env bash
# Audits the lock: audit.sh PYTHON LOCK looks its packages up among known vulnerabilities (pip-audit). Where that data cannot
# be had, it downloads every package again and holds it to the checksums of the lock, and says so.
set -euo pipefail
python=$1
lock=$2

scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
"$python" -m venv "$scratch/audit"
if "$scratch/audit/bin/python" -m pip install --quiet --quiet --disable-pip-version-check pip-audit; then
    code=0
    "$scratch/audit/bin/pip-audit" --requirement "$lock" --require-hashes --disable-pip --progress-spinner off --timeout 10 \
        >"$scratch/found" 2>"$scratch/said" || code=$?
    # Where there is no data, it skips every package and calls that a success.
    if grep -q '^Name .*ID' "$scratch/found" || { [ "$code" -eq 0 ] && ! grep -q 'could not be audited' "$scratch/found"; }; then
        cat "$scratch/found" "$scratch/said"
        exit "$code"
    fi
    echo "audit: the data on vulnerabilities cannot be had here"
fi
"$python" -m pip download --quiet --quiet --disable-pip-version-check --no-deps --require-hashes --dest "$scratch/files" \
    --requirement "$lock"
echo "audit: $(ls "$scratch/files" | wc -l) packages have the checksums of $lock; vulnerabilities were not looked up"
