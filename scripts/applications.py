"""Argo CD's Applications: what they follow, and whether they have come so far."""

import subprocess
import time
from dataclasses import dataclass
from typing import Any

from scripts.health import problem
from scripts.kubectl import ROOT, WRONG, Object, items, kubectl, stop

EVERY_SECONDS = 5


def commit(branch: str) -> str:
    """The branch's newest commit at `origin`, which is what Argo CD has to show."""
    asked = ["git", "ls-remote", "origin", f"refs/heads/{branch}"]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode != 0:
        stop(WRONG, f"origin does not answer: {done.stderr.strip()}")
    if not done.stdout:
        stop(WRONG, f"origin has no branch {branch} yet; docs/deployment.md makes it")
    return done.stdout.split()[0]


@dataclass
class Wanted:
    """An Application at a commit, until a moment."""

    name: str
    commit: str
    seconds: float

    def arrive(self) -> None:
        """Make it look at its source now, and wait until all is there and healthy."""
        self.refresh()
        deadline = time.monotonic() + self.seconds
        while (why := self._missing(_read(self.name))) is not None:
            if time.monotonic() > deadline:
                look = f"kubectl describe application.argoproj.io/{self.name}"
                stop(WRONG, f"{self.name} {why}; look at: {look} --namespace argocd")
            time.sleep(EVERY_SECONDS)
        print(f"{self.name} is at {self.commit[:12]}, synced, and healthy or paused")

    def refresh(self) -> None:
        mark = "argocd.argoproj.io/refresh=normal"
        where = f"application.argoproj.io/{self.name}"
        kubectl("annotate", where, "--namespace=argocd", "--overwrite", mark)

    def _missing(self, found: Object | None) -> str | None:
        if found is None:
            return "is not there"
        if self._given_up(found):
            stop(WRONG, f"{self.name}: {found['status']['operationState']['message']}")
        shown = _commit_of(found)
        if shown not in (None, self.commit):
            return f"is at {shown}, not at {self.commit}"
        if found.get("status", {}).get("health", {}).get("status") == "Suspended":
            # A person has paused something of it, as for a restore: that ends by hand.
            return None
        return problem(found)

    def _given_up(self, found: Object) -> bool:
        """Its retries are over, and they were for this commit."""
        state = found.get("status", {}).get("operationState", {})
        revision = state.get("syncResult", {}).get("revision")
        return revision == self.commit and state.get("phase") in ("Failed", "Error")


def _read(name: str) -> Object | None:
    where = ("applications.argoproj.io", "--namespace=argocd")
    found = items(*where, f"--field-selector=metadata.name={name}")
    return found[0] if found else None


def _commit_of(found: Object) -> str | None:
    """None where it follows no branch but a release (component oci-artifact)."""
    source: Any = found["spec"]["source"]
    if source["repoURL"].startswith("oci://"):
        return None
    shown: str = found.get("status", {}).get("sync", {}).get("revision", "nothing")
    return shown
