"""Results as JSON files and as text."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def save(name: str, result: Json, out: Path) -> None:
    """Write `result` with what it was measured on."""
    out.mkdir(parents=True, exist_ok=True)
    whole = {"measured": _circumstances(), **result}
    path = out / f"{name}.json"
    path.write_text(json.dumps(_rounded(whole), indent=1) + "\n")


def show(result: Json, indent: str = "") -> None:
    for name, value in result.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            show(value, indent + "  ")
        elif isinstance(value, list):
            print(f"{indent}{name}: {len(value)} of them, in the file")
        else:
            print(f"{indent}{name}: {_rounded(value)}")


def _circumstances() -> Json:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        # Others that were at work make every time worthless; counts do not mind.
        "load_at_the_end": os.getloadavg()[0],
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, 2) if isinstance(value, float) else value
