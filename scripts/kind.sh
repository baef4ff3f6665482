#!/usr/bin/env bash
# Development's overlay in a cluster on this machine: --help says how.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  cat <<'TEXT'
usage: scripts/kind.sh
       scripts/kind.sh --delete

Makes a cluster of three nodes with kind, builds our two images into it, installs the operators' charts and applies the
development overlay, without Argo CD. Needs docker, kind, kubectl, helm and Python 3.11; 16 GB of memory. Safe to repeat.

  CLUSTER  the cluster's name (orders)
  CHARTS   where the charts are found, as OCI (jfrog.example.com/helm-remote)
  MIRROR   what stands before the names of public images (jfrog.example.com/docker-remote)

Then: kubectl port-forward --namespace temporal-product service/fastapi-service 8000
TEXT
  exit 0
fi

cluster=${CLUSTER:-orders}
as_named=jfrog.example.com/docker-remote
mirror=${MIRROR:-$as_named}
if [ "${1:-}" = --delete ]; then
  exec kind delete cluster --name "$cluster"
fi

make_cluster() {
  kind get clusters | grep --quiet --line-regexp "$cluster" || kind create cluster --name "$cluster" --wait 120s --config - <<'YAML'
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
  - role: worker
  - role: worker
YAML
  kubectl config use-context "kind-$cluster"
  # The class that the manifests name, by the provisioner that kind brings.
  kubectl apply --filename - <<'YAML'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: fast-ssd
provisioner: rancher.io/local-path
volumeBindingMode: WaitForFirstConsumer
YAML
}

images() { # the overlays' images, as they name them
  for system in monitoring temporal-backend temporal-product; do
    kubectl kustomize "deploy/kustomize/overlays/development/$system"
  done | sed -n 's/^ *\(- \)\{0,1\}image\(Name\)\{0,1\}: //p' | sort --unique
}

load_images() {
  local image service version
  version=$(sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q;}' pyproject.toml)
  for image in $(images); do
    case "$image" in
      *temporal-worker*) service=worker ;;
      *fastapi-service*) service=api ;;
      */console:*) service=console ;;
      *) service= ;;
    esac
    if [ -n "$service" ]; then
      docker build --file docker/Dockerfile --build-arg "SERVICE=$service" --build-arg "VERSION=$version" \
        --build-arg "GIT_COMMIT=$(git rev-parse HEAD)" --tag "$image" .
    else
      docker pull "$mirror/${image#"$as_named"/}"
      docker tag "$mirror/${image#"$as_named"/}" "$image"
    fi
    kind load docker-image --name "$cluster" "$image"
  done
}

apply_systems() {
  local system
  for system in security monitoring temporal-backend temporal-product; do
    # Kinds and webhooks of operators that have only just started are not served at once.
    until kubectl apply --server-side --force-conflicts --kustomize "deploy/kustomize/overlays/development/$system"; do
      sleep 5
    done
  done
}

make_cluster
load_images
python3 -m scripts.charts install development --registry "${CHARTS:-jfrog.example.com/helm-remote}"
apply_systems
kubectl wait --namespace temporal-product --for=condition=Available deployment/temporal-worker deployment/fastapi-service deployment/console --timeout=15m
