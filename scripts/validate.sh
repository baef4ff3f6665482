#!/usr/bin/env bash
# Looks whether an environment works: --help says how. Needs kubectl and Python 3.11, and no package.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 -m scripts.validate "$@"
