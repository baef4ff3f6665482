"""What docker/Dockerfile says, for tests that do the same with no container engine."""

import re
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"

Instruction = tuple[str, str]


def stage(name: str) -> list[Instruction]:
    """The instructions of one stage: what to do and with what, on one line each."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    instructions = [(word, rest) for word, _, rest in (s.partition(" ") for s in lines)]
    begin = next(
        at
        for at, (word, rest) in enumerate(instructions)
        if word == "FROM" and rest.endswith(f" AS {name}")
    )
    after = [word for word, _ in instructions[begin + 1 :]]
    end = begin + 1 + after.index("FROM")
    return instructions[begin + 1 : end]


def of(name: str, word: str) -> list[str]:
    """What follows each `word` in the stage `name`."""
    return [rest for found, rest in stage(name) if found == word]


def environment(name: str) -> dict[str, str]:
    pairs = (pair for rest in of(name, "ENV") for pair in shlex.split(rest))
    return dict(pair.split("=", 1) for pair in pairs)


def syncs(service: str) -> list[list[str]]:
    """The `uv sync` commands that fill the image of `service`."""
    return [
        shlex.split(rest[rest.index("uv sync") :].replace("${SERVICE}", service))
        for rest in of("build", "RUN")
        if "uv sync" in rest
    ]


def shipped(service: str) -> set[str]:
    """The distributions that those commands would install."""
    exported = [
        "uv",
        *("export", "--quiet", "--frozen", "--no-hashes", "--no-header"),
        *("--no-annotate", "--no-dev", "--package", service),
    ]
    done = subprocess.run(
        exported, cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    return {service, "shared"} | {re.split("[ =@]", line)[0] for line in lines}


def copied() -> list[str]:
    """The files and folders of the repository that reach the build."""
    return [source for rest in of("build", "COPY") for source in rest.split()[:-1]]
