#!/usr/bin/env bash
# Brings an environment to what is in Git: applies its root Application and waits until everything below it is healthy.
# Safe to repeat: what is there already stays.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/deploy.sh [--dry-run] [--timeout SECONDS] ENVIRONMENT
       scripts/deploy.sh --render DIRECTORY ENVIRONMENT

ENVIRONMENT is development, staging or production; kubectl's current context decides the cluster.

  --dry-run           ask the API server what would change, and change nothing
  --render DIRECTORY  write the manifests as a release publishes them; needs no cluster
  --timeout SECONDS   how long to wait for each Application (900)
  -h, --help          this text

Exit status: 0 done, 1 something did not become healthy, 2 wrong usage, 3 no cluster.
TEXT
}

fail() {
  echo "deploy: $2" >&2
  exit "$1"
}

dry_run=
render=
timeout=900
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage && exit 0 ;;
    --dry-run) dry_run=yes ;;
    --render) render=${2:?--render needs a directory} && shift ;;
    --timeout) timeout=${2:?--timeout needs seconds} && shift ;;
    -*) usage >&2 && exit 2 ;;
    *) break ;;
  esac
  shift
done
[ $# -eq 1 ] || { usage >&2 && exit 2; }
environment=$1

cd "$(dirname "$0")/.."
root=deploy/argocd/root/$environment.yaml
[ -f "$root" ] || fail 2 "there is no environment $environment"
# In the order in which they need one another.
systems="security monitoring temporal-backend temporal-product"

if [ -n "$render" ]; then
  for system in $systems; do
    overlay=deploy/kustomize/overlays/$environment/$system
    mkdir -p "$render/$overlay"
    kubectl kustomize "$overlay" >"$render/$overlay/manifests.yaml"
    echo "$render/$overlay/manifests.yaml"
  done
  exit 0
fi

kubectl get --raw /readyz >/dev/null || fail 3 "no cluster answers; look at: kubectl config current-context"
kubectl get namespace argocd >/dev/null || fail 3 "Argo CD is not installed; docs/deployment.md says how"

if [ -n "$dry_run" ]; then
  kubectl apply --server-side --dry-run=server --filename "$root"
  for system in $systems; do
    echo "--- $system"
    # 0: nothing differs, 1: something does, more: it could not be told.
    kubectl diff --server-side --kustomize "deploy/kustomize/overlays/$environment/$system" || [ $? -eq 1 ] ||
      fail 1 "$system: the API server refuses the manifests"
  done
  exit 0
fi

wait_for() { kubectl wait --namespace argocd "application.argoproj.io/$1" --for="$2" --timeout="${timeout}s"; }

kubectl apply --server-side --filename "$root"
for system in $systems; do
  echo "waiting for $system"
  for state in create jsonpath='{.status.sync.status}'=Synced jsonpath='{.status.health.status}'=Healthy; do
    wait_for "$system" "$state" ||
      fail 1 "$system is not healthy; look at: kubectl describe application.argoproj.io/$system --namespace argocd"
  done
done
exec scripts/validate.sh "$environment"
