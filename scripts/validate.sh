#!/usr/bin/env bash
# Looks whether a deployed environment works, and says of everything that does not what to do. It only reads, and may run at any time.
set -uo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/validate.sh [--timeout SECONDS] [--probe-order SKU] ENVIRONMENT

ENVIRONMENT is development, staging or production; kubectl's current context decides the cluster.

  --timeout SECONDS   how long a rollout may still take (120)
  --probe-order SKU   also place an order for one SKU with the token in ORDERS_TOKEN, and cancel it again; not in production
  --dry-run           say what would be looked at, and ask no cluster
  -h, --help          this text

Exit status: 0 all is well, 1 something is wrong, 2 wrong usage, 3 no cluster.
TEXT
}

timeout=120
probe_sku=
dry_run=
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage && exit 0 ;;
    --timeout) timeout=${2:?--timeout needs seconds} && shift ;;
    --probe-order) probe_sku=${2:?--probe-order needs a SKU} && shift ;;
    --dry-run) dry_run=yes ;;
    -*) usage >&2 && exit 2 ;;
    *) break ;;
  esac
  shift
done
[ $# -eq 1 ] || { usage >&2 && exit 2; }
environment=$1

cd "$(dirname "$0")/.." || exit 2
overlays=deploy/kustomize/overlays/$environment
[ -d "$overlays" ] || { echo "validate: there is no environment $environment" >&2 && exit 2; }
[ -z "$probe_sku" ] || [ -n "${ORDERS_TOKEN:-}" ] || { echo "validate: --probe-order needs ORDERS_TOKEN" >&2 && exit 2; }
[ -z "$probe_sku" ] || [ "$environment" != production ] || { echo "validate: no probe orders in production" >&2 && exit 2; }

systems="security monitoring temporal-backend temporal-product"
namespaces="security monitoring logging temporal-backend temporal-product"
wrong=0

good() { echo "ok    $1"; }

bad() {
  wrong=$((wrong + 1))
  printf 'WRONG %s\n      do: %s\n' "$1" "$2"
}

# check WHAT DO COMMAND...: the command's success is the answer.
check() {
  local what=$1 todo=$2
  shift 2
  if "$@" >/dev/null 2>&1; then good "$what"; else bad "$what" "$todo"; fi
}

admin() { kubectl exec --namespace temporal-backend deploy/temporal-admin-tools -- "$@"; }

# Minutes, days ... from now, as Kubernetes writes times; GNU's date and then BSD's.
moment() { date -u -d "$1 $2" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -v"$1$(printf %.1s "$2" | tr '[:lower:]' '[:upper:]')" +%Y-%m-%dT%H:%M:%SZ; }

check_objects() {
  local system missing
  for system in $systems; do
    missing=$(kubectl kustomize "$overlays/$system" | kubectl get --filename - --output name 2>&1 >/dev/null)
    if [ -z "$missing" ]; then
      good "everything of $system is in the cluster"
    else
      bad "of $system is missing: $missing" "kubectl describe application.argoproj.io/$system --namespace argocd"
    fi
  done
}

check_rollouts() {
  local namespace workload
  for namespace in $namespaces; do
    for workload in $(kubectl get deployments,daemonsets,statefulsets --namespace "$namespace" --output name); do
      check "$namespace $workload is rolled out" "kubectl describe $workload --namespace $namespace" \
        kubectl rollout status --namespace "$namespace" "$workload" --timeout="${timeout}s"
    done
  done
}

check_ready() { # KIND
  local namespace name status
  for namespace in $namespaces; do
    while IFS='=' read -r name status; do
      [ -n "$name" ] || continue
      if [ "$status" = True ]; then good "$namespace $1 $name"; else bad "$namespace $1 $name is not ready" "kubectl describe $1 $name --namespace $namespace"; fi
    done <<EOF
$(kubectl get "$1" --namespace "$namespace" --output jsonpath='{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}')
EOF
  done
}

check_expiry() {
  local namespace name until limit
  limit=$(moment +14 days)
  for namespace in $namespaces; do
    while IFS='=' read -r name until; do
      [ -n "$name" ] || continue
      if [[ "$until" > "$limit" ]]; then good "$namespace certificate $name until $until"; else
        bad "$namespace certificate $name ends ${until:-unknown}" "docs/how-to/rotate-secrets.md"
      fi
    done <<EOF
$(kubectl get certificates.cert-manager.io --namespace "$namespace" --output jsonpath='{range .items[*]}{.metadata.name}={.status.notAfter}{"\n"}{end}')
EOF
  done
}

check_database() { # NAMESPACE CLUSTER
  local phase
  phase=$(kubectl get clusters.postgresql.cnpg.io "$2" --namespace "$1" --output jsonpath='{.status.phase}')
  if [ "$phase" = "Cluster in healthy state" ]; then good "$1 $2 is healthy"; else
    bad "$1 $2: ${phase:-no status}" "kubectl describe clusters.postgresql.cnpg.io $2 --namespace $1"
  fi
}

check_schema() { # DATABASE VERSION
  local primary found
  primary=$(kubectl get clusters.postgresql.cnpg.io temporal-postgresql --namespace temporal-backend --output jsonpath='{.status.currentPrimary}')
  found=$(kubectl exec --namespace temporal-backend "$primary" --container postgres -- psql -d "$1" -Atc 'select curr_version from schema_version' 2>/dev/null)
  if [ "$found" = "$2" ]; then good "database $1 has schema $2"; else
    bad "database $1 has schema '$found', not $2" "kubectl logs job/temporal-schema-update --namespace temporal-backend"
  fi
}

check_temporal() {
  local namespace=orders queue attributes name
  check "internal-frontend serves" "kubectl logs deploy/temporal-internal-frontend --namespace temporal-backend" admin temporal operator cluster health
  check "frontend's certificate is of its own authority" "docs/how-to/rotate-secrets.md" \
    admin temporal operator cluster health --address temporal-frontend.temporal-backend.svc.cluster.local:7233 \
    --tls-server-name temporal-frontend.temporal-backend.svc.cluster.local --tls-ca-path /etc/temporal/certs/frontend/ca.crt
  check "namespace $namespace exists" "kubectl logs job/temporal-namespace --namespace temporal-backend" \
    admin temporal operator namespace describe --namespace "$namespace"
  attributes=$(admin temporal operator search-attribute list --namespace "$namespace" --output json 2>/dev/null)
  for name in OrderId Waiting; do
    case "$attributes" in
      *"\"$name\""*) good "search attribute $name" ;;
      *) bad "search attribute $name is missing" "kubectl logs job/temporal-namespace --namespace temporal-backend" ;;
    esac
  done
  for queue in orders payments carriers; do
    case "$(admin temporal task-queue describe --namespace "$namespace" --task-queue "$queue" --output json 2>/dev/null)" in
      *identity*) good "somebody works on task queue $queue" ;;
      *) bad "nobody works on task queue $queue" "kubectl logs deploy/temporal-worker --namespace temporal-product" ;;
    esac
  done
}

check_backup() { # NAMESPACE CLUSTER
  local last limit
  limit=$(moment -26 hours)
  last=$(kubectl get backups.postgresql.cnpg.io --namespace "$1" --sort-by=.status.stoppedAt \
    --output jsonpath="{range .items[?(@.spec.cluster.name==\"$2\")]}{.status.phase}={.status.stoppedAt}{\"\\n\"}{end}" | sed -n 's/^completed=//p' | tail -n 1)
  if [[ "$last" > "$limit" ]]; then good "$1 $2 was backed up at $last"; else
    bad "$1 $2 has no backup younger than 26 hours (last: ${last:-none})" "docs/how-to/backup-and-restore.md"
  fi
}

query() { kubectl exec --namespace monitoring prometheus-kube-prometheus-stack-prometheus-0 --container prometheus -- promtool query instant http://localhost:9090 "$1"; }

check_monitoring() {
  local job answer
  answer=$(query 'prometheus_rule_group_rules{rule_group=~".*temporal.rules"}' 2>/dev/null)
  if [ -n "$answer" ]; then good "alert rules are loaded"; else bad "alert rules are not loaded" "kubectl describe prometheusrule temporal --namespace monitoring"; fi
  for job in temporal-server temporal-worker fastapi-service; do
    answer=$(query "min(up{job=\"$job\"}) == 1" 2>/dev/null)
    if [ -n "$answer" ]; then good "Prometheus reaches every $job"; else bad "Prometheus does not reach every $job" "kubectl describe podmonitor $job --namespace monitoring"; fi
  done
}

call() { # METHOD PATH [KEY]: the body on stdin
  curl --fail --silent --show-error --request "$1" "$base$2" --header "Authorization: Bearer $ORDERS_TOKEN" ${3:+--header "Idempotency-Key: $3"} \
    --header 'Content-Type: application/json' --data @-
}

check_order() {
  local base key price amount currency order
  base=$(kubectl get configmaps --namespace temporal-product --selector app.kubernetes.io/name=fastapi-service --output jsonpath='{.items[0].data.PUBLIC_URL}')
  # One order a day, however often this runs.
  key="validate-$(date -u +%Y-%m-%d)"
  price=$(call GET "/v1/products/$probe_sku" </dev/null | sed -n 's/.*"price" *: *{"amount" *: *\([0-9]*\), *"currency" *: *"\([A-Z]*\)".*/\1 \2/p')
  read -r amount currency <<EOF
$price
EOF
  [ -n "$currency" ] || { bad "there is no product $probe_sku at $base" "kubectl logs deploy/fastapi-service --namespace temporal-product" && return; }
  order=$(call POST /v1/orders "$key" <<JSON | sed -n 's/.*"id" *: *"\(ord_[0-9a-z]*\)".*/\1/p'
{"customer_id": "validate", "currency": "$currency", "lines": [{"sku": "$probe_sku", "quantity": 1}],
 "shipping": {"method": "standard", "amount": {"amount": 0, "currency": "$currency"}}, "expected_total": {"amount": $amount, "currency": "$currency"},
 "contact": {"email": "validate@example.com", "name": "Validate"}, "payment": {"method": "pm_card_visa"},
 "ship_to": {"name": "Validate", "street": "1 Example Street", "city": "Berlin", "postal_code": "10115", "country": "DE"}}
JSON
  )
  [ -n "$order" ] || { bad "no order was taken at $base" "kubectl logs deploy/fastapi-service --namespace temporal-product" && return; }
  good "order $order was taken"
  if echo '{"reason": "probe"}' | call POST "/v1/orders/$order/cancellations" "$key-cancel" >/dev/null; then good "order $order was cancelled"; else
    bad "order $order was not cancelled" "kubectl logs deploy/temporal-worker --namespace temporal-product"
  fi
}

if [ -n "$dry_run" ]; then
  echo "validate would look at: the objects of $systems; rollouts; secrets and certificates; both databases, their schema and backups; Temporal's namespace, search attributes and pollers; Prometheus"
  exit 0
fi
kubectl get --raw /readyz >/dev/null || { echo "validate: no cluster answers; look at: kubectl config current-context" >&2 && exit 3; }

check_objects
check_rollouts
check_ready externalsecrets.external-secrets.io
check_ready certificates.cert-manager.io
check_expiry
check_database temporal-backend temporal-postgresql
check_database temporal-product orders-postgresql
check_schema temporal 1.19
check_schema temporal_visibility 1.14
check_temporal
check_monitoring
if [ "$environment" != development ]; then
  check_backup temporal-backend temporal-postgresql
  check_backup temporal-product orders-postgresql
fi
[ -z "$probe_sku" ] || check_order

if [ "$wrong" -gt 0 ]; then
  echo "$wrong wrong"
  exit 1
fi
echo "all is well"
