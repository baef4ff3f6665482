#!/usr/bin/env bash
# Writes which images an environment runs into its overlay, as a commit on the branch that
# the environment follows; Argo CD does the rest. Repeating it changes nothing.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: .gitlab/promote.sh ENVIRONMENT BRANCH NAME=TAG@DIGEST...
       .gitlab/promote.sh ENVIRONMENT BRANCH --from ENVIRONMENT
       .gitlab/promote.sh ENVIRONMENT BRANCH --back
       .gitlab/promote.sh ENVIRONMENT --files NAME=TAG@DIGEST...

  NAME=TAG@DIGEST     these images, such as temporal-worker=3f9c2ab@sha256:…
  --from ENVIRONMENT  those that another environment runs
  --back              those that ran before the ones of now
  --files             only change the file that is here

It commits on top of origin's BRANCH and pushes there; staging and production follow branches of
their own names, which it then points at that commit.
Exit status: 0 done or nothing to do, 1 it could not be done, 2 wrong usage.
TEXT
}

fail() {
  echo "promote: $2" >&2
  exit "$1"
}

overlay() { echo "deploy/kustomize/overlays/$1/temporal-product/kustomization.yaml"; }

# Prints NAME=TAG@DIGEST of each of our images in the overlay on stdin; one that never ran has no digest.
images() {
  awk '
    $1 == "-" { name = $2 == "name:" && $3 ~ /^(temporal-worker|fastapi-service|console)$/ ? $3 : "" }
    name && $1 == "newTag:" { gsub(/"/, "", $2); tag = $2 }
    name && $1 == "digest:" { print name "=" tag "@" $2 }
  '
}

# Not `kustomize edit`: it sorts the file anew and drops its comments.
set_image() { # FILE NAME TAG DIGEST
  awk -v wanted="$2" -v tag="$3" -v digest="$4" '
    $1 == "-" { name = $2 == "name:" ? $3 : "" }
    name == wanted && $1 == "digest:" { next }
    name == wanted && $1 == "newTag:" { print "    newTag: \"" tag "\""; print "    digest: " digest; next }
    { print }
  ' "$1" >"$1.new"
  mv "$1.new" "$1"
}

set_images() { # FILE NAME=TAG@DIGEST...
  local file=$1 image
  shift
  for image in "$@"; do
    [[ "$image" =~ ^([a-z-]+)=([0-9a-zA-Z._-]+)@(sha256:[0-9a-f]{64})$ ]] || fail 2 "not NAME=TAG@DIGEST: $image"
    set_image "$file" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}"
    images <"$file" | grep --quiet --line-regexp --fixed-strings "$image" || fail 1 "$file names no such image: $image"
    echo "$environment: $image"
  done
}

# What the overlay said before it said what it says now.
before() { # FILE
  local now earlier commit
  now=$(images <"$1")
  for commit in $(git log --format=%H -- "$1"); do
    earlier=$(git show "$commit:$1" | images)
    [ "$earlier" = "$now" ] || break
  done
  [ "$earlier" = "$now" ] || echo "$earlier"
}

publish() { # FILE BRANCH SUBJECT
  local refs=("HEAD:refs/heads/$2")
  git diff --quiet -- "$1" || git commit --quiet --message "$3" -- "$1"
  # These point at what was let in last, manifests and images together, and have no history of their own.
  [ "$environment" = development ] || refs+=("+HEAD:refs/heads/$environment")
  git push --quiet --atomic origin "${refs[@]}"
}

main() {
  local branch file chosen tag
  [ $# -ge 3 ] || { usage >&2 && exit 2; }
  environment=$1 branch=$2 file=$(overlay "$1")
  shift 2
  cd "$(git rev-parse --show-toplevel)"
  if [ "$branch" != --files ]; then
    git fetch --quiet origin "$branch"
    git checkout --quiet --detach FETCH_HEAD
  fi
  [ -f "$file" ] || fail 2 "there is no environment $environment"
  case "$1" in
    --from) chosen=$(images <"$(overlay "${2:?--from needs an environment}")") ;;
    --back) chosen=$(before "$file") ;;
    *) chosen=$* ;;
  esac
  [ -n "$chosen" ] || fail 1 "there are no such images: $environment $*"
  # Words of letters, digits and punctuation that no shell expands.
  # shellcheck disable=SC2086
  set_images "$file" $chosen
  [ "$branch" != --files ] || return 0
  tag=${chosen#*=}
  # Another pipeline would build the same again.
  publish "$file" "$branch" "chore(deploy): run ${tag:0:12} in $environment [skip ci]"
}

# Read to its end before the checkout replaces this file.
main "$@"
