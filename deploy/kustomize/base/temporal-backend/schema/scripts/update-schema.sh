#!/bin/sh
# Brings both databases of the server to the schema built into the tool. Repeating it changes nothing.
set -eu

update() {
  # The first call makes the version table; it fails harmlessly where that exists, the second one tells.
  SQL_DATABASE="$1" temporal-sql-tool setup-schema -v 0.0 || echo "$1 has a version table"
  SQL_DATABASE="$1" temporal-sql-tool update-schema --schema-name "$2"
}

update temporal postgresql/v12/temporal
update temporal_visibility postgresql/v12/visibility
