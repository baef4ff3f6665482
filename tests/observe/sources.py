"""Where what is tested here lies."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy/kustomize/base/monitoring"
