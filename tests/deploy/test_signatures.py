"""Only what the pipeline has signed becomes a pod, and nothing else waits for that.

Kyverno itself is not run: its policy was given to a real API server with its own
definition (docs/how-to/try-a-cluster.md), and what the fields mean is read here.
"""

import copy
import fnmatch

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.deploy.cluster import Cluster, cluster
from tests.deploy.pipeline import images, pipeline
from tests.deploy.rendering import (
    COMPONENTS,
    DEPLOY,
    ROOT,
    Manifest,
    build,
    containers,
    environment,
    named,
    of_kind,
    workloads,
)
from tests.deploy.waves import wave

KEY = COMPONENTS / "signed-images/temporal-product/cosign.pub"


@pytest.fixture(params=["staging", "production"])
def built(request: pytest.FixtureRequest) -> Cluster:
    return cluster(environment(request.param))


def policy(built: Cluster) -> Manifest:
    (found,) = of_kind(built.manifests, "NamespacedImageValidatingPolicy")
    return found


def is_looked_at(image: str, policy: Manifest) -> bool:
    globs = [rule["glob"] for rule in policy["spec"]["matchImageReferences"]]
    return any(fnmatch.fnmatchcase(image, glob) for glob in globs)


def unlooked(built: Cluster) -> list[str]:
    """Images of ours in pods of the product that the policy says nothing of."""
    registry = pipeline()["variables"]["DOCKER_REGISTRY"]
    ours = tuple(f"{registry}/{name}" for name in images())
    return [
        container["image"]
        for _, template in workloads(built.manifests)
        for container in containers(template)
        if container["image"].startswith(ours)
        and not is_looked_at(container["image"], policy(built))
    ]


def test_every_image_that_the_pipeline_signs_is_asked_for_its_signature(
    built: Cluster,
) -> None:
    assert unlooked(built) == []


def test_an_image_that_is_not_asked_about_is_found(built: Cluster) -> None:
    changed = copy.deepcopy(list(built.manifests))
    rules = policy(Cluster(tuple(changed)))["spec"]["matchImageReferences"]
    del rules[0]
    assert unlooked(Cluster(tuple(changed)))


def test_what_is_not_signed_or_cannot_be_asked_is_refused(built: Cluster) -> None:
    spec = policy(built)["spec"]
    assert spec["validationActions"] == ["Deny"]
    assert spec["failurePolicy"] == "Fail"
    assert spec["validationConfigurations"] == {
        "required": True,
        "verifyDigest": True,
        # CloudNativePG takes a pod whose image has another name for an old one.
        "mutateDigest": False,
    }
    (rule,) = spec["matchConstraints"]["resourceRules"]
    assert (rule["resources"], set(rule["operations"])) == (
        ["pods"],
        {"CREATE", "UPDATE"},
    )
    (validation,) = spec["validations"]
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        assert f"images.{kind}" in validation["expression"]


def test_the_cluster_trusts_the_key_that_the_pipeline_verifies_with(
    built: Cluster,
) -> None:
    (attestor,) = policy(built)["spec"]["attestors"]
    assert attestor["cosign"]["key"]["data"] == KEY.read_text()
    key = load_pem_public_key(KEY.read_bytes())
    assert isinstance(key, EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    verifying = [
        line for line in pipeline()["sign-image"]["script"] if "cosign verify" in line
    ]
    assert [f"--key {KEY.relative_to(ROOT)} " in line for line in verifying] == [True]


def test_the_cluster_asks_for_a_log_entry_where_the_pipeline_writes_one(
    built: Cluster,
) -> None:
    (attestor,) = policy(built)["spec"]["attestors"]
    logged = not attestor["cosign"]["ctlog"]["insecureIgnoreTlog"]
    script = pipeline()["sign-image"]["script"]
    signing = [line for line in script if "cosign sign" in line or "cosign att" in line]
    assert len(signing) == 3
    assert {"--tlog-upload=false" not in line for line in signing} == {logged}


def test_a_database_comes_back_while_nobody_can_look_at_signatures(
    built: Cluster,
) -> None:
    constraints = policy(built)["spec"]["matchConstraints"]
    assert constraints["objectSelector"]["matchExpressions"] == [
        # CloudNativePG's own label, on every pod that it makes.
        {"key": "cnpg.io/cluster", "operator": "DoesNotExist"}
    ]


def test_the_policy_is_there_before_the_first_pod(built: Cluster) -> None:
    namespace = policy(built)["metadata"]["namespace"]
    pods = [m for m, _ in workloads(built.manifests)]
    mine = [m for m in pods if m["metadata"]["namespace"] == namespace]
    assert wave(policy(built)) < min(map(wave, mine))


@pytest.mark.parametrize("name", ["staging", "production"])
def test_kyverno_decides_where_the_policy_is_and_nowhere_else(name: str) -> None:
    applications = build(DEPLOY / "argocd/applications" / name)
    source = named(applications, "Application", "kyverno")["spec"]["source"]
    values = source["helm"]["valuesObject"]
    (where,) = values["config"]["webhooks"]["namespaceSelector"]["matchExpressions"]
    built = policy(cluster(environment(name)))
    assert where == {
        "key": "kubernetes.io/metadata.name",
        "operator": "In",
        "values": [built["metadata"]["namespace"]],
    }
    # It reads any secret of its own namespace, and this one is all that it needs.
    secrets = of_kind(environment(name), "ExternalSecret")
    own = [s for s in secrets if s["metadata"]["namespace"] == "kyverno"]
    assert [s["spec"]["target"]["name"] for s in own] == (
        built["spec"]["credentials"]["secrets"]
    )
