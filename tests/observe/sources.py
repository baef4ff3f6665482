"""Where what is tested here lies."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy/kustomize/base/monitoring"
TEMPORAL_METRICS = Path(__file__).with_name("temporal-metrics.json")
"""What a scrape of the server and of the SDK's core showed, by side and name, without
the SDK's suffixes. Another version of the server: record it again."""
