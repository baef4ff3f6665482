#!/bin/sh
# Registers the repository, which Elasticsearch verifies by writing to it, and the nightly policy. PUT, so repeating changes nothing.
set -eu

put() {
  curl --fail-with-body --silent --show-error --cacert /etc/elasticsearch/certs/ca.crt --user "elastic:$ELASTIC_PASSWORD" \
    --request PUT --header 'Content-Type: application/json' --data "$2" "$ES_SERVER/$1"
  echo
}

put _snapshot/temporal_backup \
  '{"type": "s3", "settings": {"bucket": "'"$SNAPSHOT_BUCKET"'", "base_path": "elasticsearch", "endpoint": "'"$SNAPSHOT_ENDPOINT"'"}}'
put _slm/policy/temporal_nightly \
  '{"schedule": "0 0 3 * * ?", "name": "<temporal-{now/d}>", "repository": "temporal_backup",
    "config": {"indices": ["temporal_visibility_v1*"], "include_global_state": false},
    "retention": {"expire_after": "30d", "min_count": 7}}'
