#!/bin/sh
# Brings the uv of requirements-uv.lock (unless PATH has one) and the environment of requirements-dev.lock, then
# runs the command: ./ctl help
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd -P)
store=/etc/ssl/certs/ca-certificates.crt # where a private authority's certificate would be
[ -e "$store" ] && export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}" REQUESTS_CA_BUNDLE="${REQUESTS_CA_BUNDLE:-$store}"
if ! cmp -s "$here/requirements-dev.lock" "$here/.venv/synced.lock"; then
  [ -w "${HOME:-/nonexistent}" ] || export UV_CACHE_DIR="${UV_CACHE_DIR:-$here/.uv/cache}"
  if ! uv=$(command -v uv); then
    uv=$here/.uv/bin/uv
    if ! cmp -s "$here/requirements-uv.lock" "$here/.uv/synced.lock"; then
      # A wheel or nothing: what a source is built with has no hash.
      if ! python3 -m pip install --quiet --disable-pip-version-check --upgrade --target "$here/.uv" \
        --only-binary :all: --require-hashes -r "$here/requirements-uv.lock"; then
        echo "ctl: cannot fetch uv: put uv on PATH, or give python3 its pip (Debian: apt-get install python3-pip)" >&2
        exit 1
      fi
      cp "$here/requirements-uv.lock" "$here/.uv/synced.lock"
    fi
  fi
  [ -x "$here/.venv/bin/python" ] || { rm -rf "$here/.venv" && "$uv" venv --quiet --no-python-downloads --python '>=3.11' "$here/.venv"; }
  "$uv" pip sync --quiet --require-hashes --python "$here/.venv/bin/python" "$here/requirements-dev.lock"
  cp "$here/requirements-dev.lock" "$here/.venv/synced.lock"
fi
# A command is many processes, and each would compile all that it imports anew.
unset PYTHONDONTWRITEBYTECODE
PYTHONPATH=$here exec "$here/.venv/bin/python" -m ctalert "$@"
