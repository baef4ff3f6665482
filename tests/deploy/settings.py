"""What the manifests give a process, held against what its settings class reads."""

from collections.abc import Iterator

from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from tests.deploy.cluster import Cluster, key
from tests.deploy.rendering import Manifest, of_kind, workloads

STANDARD = "OTEL_"
"""OpenTelemetry's own library reads its variables, so no settings class has them."""


def environment_of(cluster: Cluster, workload: str) -> dict[str, str | None]:
    """The variables of a workload's one container; None for a value from a Secret."""
    ((manifest, template),) = (
        (manifest, template)
        for manifest, template in workloads(cluster.manifests)
        if key(manifest)[1] == workload
    )
    (container,) = template["spec"]["containers"]
    found: dict[str, str | None] = {}
    for source in container.get("envFrom", []):
        found |= _data(cluster, key(manifest)[0], source["configMapRef"]["name"])
    for variable in container.get("env", []):
        found[variable["name"]] = variable.get("value")
    return found


def _data(cluster: Cluster, namespace: str, name: str) -> Manifest:
    (data,) = (
        m["data"]
        for m in of_kind(cluster.manifests, "ConfigMap")
        if key(m) == (namespace, name)
    )
    return dict(data)


def names_of(cls: type[BaseSettings]) -> dict[str, tuple[str, ...]]:
    """The variables that each field may be read from."""
    return {
        name: tuple(
            str(choice).upper()
            for choice in (
                field.validation_alias.choices
                if isinstance(field.validation_alias, AliasChoices)
                else [field.validation_alias or name]
            )
        )
        for name, field in cls.model_fields.items()
    }


def differences(given: dict[str, str | None], cls: type[BaseSettings]) -> Iterator[str]:
    """Variables that nobody reads, and required ones that nobody gives."""
    names = names_of(cls)
    read = {variable for choices in names.values() for variable in choices}
    for variable in sorted(given):
        if variable not in read and not variable.startswith(STANDARD):
            yield f"{variable} is given and not read by {cls.__name__}"
    for name, field in cls.model_fields.items():
        if field.is_required() and not given.keys() & set(names[name]):
            yield f"{names[name][0]} is required by {cls.__name__} and not given"
