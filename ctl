#!/bin/sh
# Brings uv and the environment pinned in requirements-dev.lock, then runs the command: ./ctl help
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd -P)
store=/etc/ssl/certs/ca-certificates.crt # where a private authority's certificate would be
[ -e "$store" ] && export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}" REQUESTS_CA_BUNDLE="${REQUESTS_CA_BUNDLE:-$store}"
if ! cmp -s "$here/requirements-dev.lock" "$here/.venv/synced.lock"; then
  [ -w "${HOME:-/nonexistent}" ] || export UV_CACHE_DIR="${UV_CACHE_DIR:-$here/.uv/cache}"
  uv=$(command -v uv) || uv=$here/.uv/bin/uv
  if ! [ -x "$uv" ] && ! python3 -m pip install --quiet --disable-pip-version-check --target "$here/.uv" 'uv>=0.9'; then
    echo "ctl: cannot fetch uv: put uv on PATH, or give python3 its pip (Debian: apt-get install python3-pip)" >&2
    exit 1
  fi
  [ -x "$here/.venv/bin/python" ] || { rm -rf "$here/.venv" && "$uv" venv --quiet --no-python-downloads --python '>=3.11' "$here/.venv"; }
  "$uv" pip sync --quiet --require-hashes --python "$here/.venv/bin/python" "$here/requirements-dev.lock"
  cp "$here/requirements-dev.lock" "$here/.venv/synced.lock"
fi
# A command is many processes, and each would compile all that it imports anew.
unset PYTHONDONTWRITEBYTECODE
PYTHONPATH=$here exec "$here/.venv/bin/python" -m ctalert "$@"
