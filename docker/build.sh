#!/usr/bin/env bash
# Builds a service's image: docker/build.sh worker|api|console [options of `buildah build`].
# REGISTRY and PYTHON_IMAGE are the Dockerfile's arguments, IMAGE is the name to give.
set -euo pipefail
cd "$(dirname "$0")/.."

service=${1:?worker, api or console}
shift
case "$service" in
  worker) name=temporal-worker ;;
  api) name=fastapi-service ;;
  *) name=$service ;;
esac

arguments=(
  "SERVICE=$service"
  "VERSION=$(sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q;}' pyproject.toml)"
  "GIT_COMMIT=$(git describe --always --abbrev=40 --exclude '*' --dirty)"
  "REGISTRY=${REGISTRY:-}"
  ${PYTHON_IMAGE:+"PYTHON_IMAGE=$PYTHON_IMAGE"}
)
# The commit's time on every file: built twice, the layers are the same.
exec buildah build --file docker/Dockerfile --format docker --layers \
  --timestamp "$(git show --no-patch --format=%ct)" \
  "${arguments[@]/#/--build-arg=}" --tag "${IMAGE:-$name:dev}" "$@" .
