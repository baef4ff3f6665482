#!/bin/sh
# Template, index, mapping, each safe to repeat. `create-index` fails on an index that exists; that it does, the last line proves.
set -eu

temporal-elasticsearch-tool update-schema --index ""
temporal-elasticsearch-tool create-index || echo "$ES_VISIBILITY_INDEX exists"
temporal-elasticsearch-tool update-schema
