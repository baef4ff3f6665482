#!/usr/bin/env python3
"""A kubectl that answers as a cluster with the objects of a file would.

STUB_FOLDER holds objects.json (what is in the cluster), broken.json (answers that
differ: the beginning of a command, its output and exit status) and calls.log;
RENDERED what `kustomize` has made of each folder. `annotate --local`, which needs no
cluster either, is left to the real kubectl.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["STUB_FOLDER"])


def main(arguments: list[str]) -> int:
    command = " ".join(arguments)
    with (FOLDER / "calls.log").open("a") as log:
        log.write(command + "\n")
    for beginning, output, status in json.loads((FOLDER / "broken.json").read_text()):
        if command.startswith(beginning):
            print(output, file=sys.stderr if status else sys.stdout)
            return int(status)
    if arguments[0] == "kustomize":
        made = Path(os.environ["RENDERED"]) / arguments[1].replace("/", "-")
        sys.stdout.write(made.read_text())
        return 0
    if "--local" in arguments:
        real = os.environ["REAL_KUBECTL"]
        os.execv(real, [real, *arguments])
    return ANSWERS[arguments[0]](arguments[1:])


def objects() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / "objects.json").read_text())
    return found


def group(item: dict[str, Any]) -> str:
    version: str = item["apiVersion"]
    return version.rpartition("/")[0]


def plural(item: dict[str, Any]) -> str:
    return ".".join(filter(None, (item["kind"].lower() + "s", group(item))))


def api_resources(_: list[str]) -> int:
    for version, kind in sorted({(i["apiVersion"], i["kind"]) for i in objects()}):
        print(f"{kind.lower()}s  {version}  true  {kind}")
    return 0


def get(arguments: list[str]) -> int:
    if "--raw" in arguments or "--output=json" not in arguments:
        if arguments[:2] == ["namespaces", "--output=name"]:
            print(*(f"namespace/{i['metadata']['name']}" for i in chosen("Namespace")))
        return 0
    if "--filename=-" in arguments:
        asked = [identity(i) for i in json.load(sys.stdin)["items"]]
        show([i for i in objects() if identity(i) in asked])
    elif "--all-namespaces" in arguments:
        kinds = arguments[0].split(",")
        show([i for i in objects() if plural(i) in kinds])
    else:
        kind, _, name = arguments[0].partition("/")
        name = name or next((a for a in arguments if "metadata.name=" in a), "")
        wanted = name.rpartition("=")[2]
        show([i for i in objects() if plural(i) == kind and matches(i, wanted)])
    return 0


def matches(item: dict[str, Any], name: str) -> bool:
    # A ConfigMap is asked for by its labels, and has a hash in its name.
    return name in ("", item["metadata"]["name"]) and (
        item["kind"] != "ConfigMap" or "PUBLIC_URL" in item.get("data", {})
    )


def chosen(kind: str) -> list[dict[str, Any]]:
    return [item for item in objects() if item["kind"] == kind]


def identity(item: dict[str, Any]) -> tuple[str, str | None, str]:
    metadata = item["metadata"]
    return item["kind"], metadata.get("namespace"), metadata["name"]


def show(found: list[dict[str, Any]]) -> None:
    print(json.dumps({"kind": "List", "items": found}))


def execute(arguments: list[str]) -> int:
    command = " ".join(arguments[arguments.index("--") + 1 :])
    answers = {
        "psql -d temporal ": "1.19",
        "psql -d temporal_visibility ": "1.14",
        "search-attribute list": '{"customAttributes": {"OrderId": 1, "Waiting": 2}}',
        "task-queue describe": '{"pollers": [{"identity": "1@temporal-worker"}]}',
        "promtool query": "{} => 1 @[1]",
    }
    print(next((a for part, a in answers.items() if part in command), ""))
    return 0


def yes(_: list[str]) -> int:
    return 0


ANSWERS = {
    "annotate": yes,
    "api-resources": api_resources,
    "apply": yes,
    "create": yes,
    "diff": yes,
    "exec": execute,
    "get": get,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
