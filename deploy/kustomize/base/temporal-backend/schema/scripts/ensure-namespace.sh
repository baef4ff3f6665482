#!/bin/sh
# Creates the product's namespace and search attributes where they are missing. `create` fails on what exists, so look first.
set -eu

if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null; then
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
fi

# A frontend learns of a new namespace some seconds later.
tries=30
until known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" --output json); do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ]
  sleep 1
done
for attribute in $SEARCH_ATTRIBUTES; do
  name=${attribute%%=*}
  case "$known" in
    *"\"$name\""*) echo "$name exists" ;;
    *) temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type "${attribute#*=}" ;;
  esac
done
