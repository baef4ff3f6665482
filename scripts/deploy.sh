#!/usr/bin/env bash
# Brings an environment to what is in Git: --help says how. Needs kubectl, git and Python 3.11, and no package.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 -m scripts.deploy "$@"
