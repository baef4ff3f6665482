"""A stand-in for Argo CD: brings what the branch has, and says how it went.

As Argo CD does by default: server-side, as `argocd-controller`, with its tracking id;
jobs that are hooks are deleted first; a wave begins when the one before is healthy.
"""

import json
import subprocess
import threading
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path

from scripts.health import KINDS, problem
from scripts.kubectl import kind_of
from tests.cluster import operators
from tests.cluster.control_plane import ControlPlane, until_empty
from tests.deploy.rendering import SYSTEMS, Manifest, label
from tests.deploy.waves import wave

HOOK = "argocd.argoproj.io/hook"
REFRESH = "argocd.argoproj.io/refresh"
TRACKING = "argocd.argoproj.io/tracking-id"
MANAGER = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller")


@dataclass
class ArgoCD:
    plane: ControlPlane
    repository: Path
    """Its branch is what every Application follows."""
    failure: BaseException | None = None
    _busy: bool = False
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "ArgoCD":
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()
        if self.failure:
            raise self.failure

    def _work(self) -> None:
        """Whenever somebody asks the root to look again."""
        try:
            while not self._over.wait(0.5):
                root = self._read("root")
                if root and _is_asked(root):
                    self._busy = True
                    self._forget(root)
                    self.sync()
                    self._busy = False
        except BaseException as error:
            self.failure = error

    def rest(self) -> None:
        """Wait until nothing more is brought: what is committed now is news to it."""
        if self._thread is None:
            return

        def asked() -> list[str]:
            root = self._read("root")
            return ["root"] if (root and _is_asked(root)) or self._busy else []

        until_empty(asked)

    def sync(self) -> None:
        """All that the branch has now."""
        root, commit = self._read("root"), self._commit()
        assert root
        made = self._rendered(root["spec"]["source"]["path"])
        for application in sorted(made, key=wave):
            self._apply([application], root)
            if application["kind"] != "Application":
                self._stand_in([application])
            elif application["metadata"]["name"] in SYSTEMS:
                self.bring(application["metadata"]["name"])
            else:
                self._say(application, commit)
        self._say(root, commit)

    def bring(self, name: str) -> None:
        """One system, as `argocd app sync` does."""
        # Read before the files are: what is committed meanwhile was not brought.
        application, commit = self._read(name), self._commit()
        assert application
        wanted = self._rendered(application["spec"]["source"]["path"])
        wanted += operators.of_charts(name)
        for _, same in groupby(sorted(wanted, key=wave), wave):
            things = list(same)
            for thing in things:
                if HOOK in thing["metadata"].get("annotations", {}):
                    self._delete(thing)
            self._apply(things, application)
            self._stand_in(things)
            heard = [t for t in things if kind_of(t) in KINDS]
            until_empty(partial(self._unwell, heard))
        self._say(application, commit)

    def _stand_in(self, things: list[Manifest]) -> None:
        made = [*operators.made_of(things), *operators.backups(things)]
        if made:
            apply = ("apply", "--server-side", "--filename=-")
            self.plane.kubectl(*apply, "--field-manager=operator", objects=made)
        operators.say(self.plane, [*things, *made])

    def _unwell(self, things: list[Manifest]) -> list[str]:
        found = [self.plane.request("GET", self.plane.path(t)) for t in things]
        return [f"{label(f)} {problem(f)}" for f in found if problem(f)]

    def _apply(self, things: list[Manifest], owner: Manifest) -> None:
        tracked = [_tracked(thing, owner) for thing in things]
        self.plane.kubectl("apply", *MANAGER, "--filename=-", objects=tracked)

    def _delete(self, thing: Manifest) -> None:
        path = self.plane.path(thing)
        self.plane.request("DELETE", path, {"propagationPolicy": "Background"})
        until_empty(
            lambda: [
                p for p in [path] if self.plane.request("GET", p)["kind"] != "Status"
            ]
        )

    def _rendered(self, path: str) -> list[Manifest]:
        """Of the repository as it is now."""
        done = subprocess.run(
            ["python3", "-c", _RENDER, path],
            cwd=self.repository,
            capture_output=True,
            text=True,
            check=True,
        )
        found: list[Manifest] = json.loads(done.stdout)
        return found

    def _read(self, name: str) -> Manifest | None:
        path = f"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{name}"
        found = self.plane.request("GET", path)
        return found if found["kind"] == "Application" else None

    def _forget(self, application: Manifest) -> None:
        gone = {"metadata": {"annotations": {REFRESH: None}}}
        self.plane.request("PATCH", self.plane.path(application), gone)

    def _say(self, application: Manifest, commit: str) -> None:
        operators.say(self.plane, [application], commit)

    def _commit(self) -> str:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=self.repository,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


_RENDER = """
import json, sys
from scripts.kubectl import objects_in, rendered
print(json.dumps(objects_in(rendered(sys.argv[1]))))
"""


def _is_asked(root: Manifest) -> bool:
    return REFRESH in root["metadata"].get("annotations", {})


def _tracked(thing: Manifest, owner: Manifest) -> Manifest:
    metadata = thing["metadata"]
    group = thing["apiVersion"].rpartition("/")[0]
    where = metadata.get("namespace", "")
    what = f"{group}/{thing['kind']}:{where}/{metadata['name']}"
    mark = {TRACKING: f"{owner['metadata']['name']}:{what}"}
    annotations = {**metadata.get("annotations", {}), **mark}
    return {**thing, "metadata": {**metadata, "annotations": annotations}}
