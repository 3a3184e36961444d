"""The rendered manifests say what the cluster's own API takes, and hold together among themselves."""

import copy
import shutil
import tomllib

import kubernetes_validate
import pytest
import yaml

from crm_shared.bus.partition import PARTITIONS
from crm_shared.db.outbox import SLOTS
from crm_suite.topology import NAMES

from .manifests import COMPONENT, KUSTOMIZE, NAME, OVERLAYS, ROOT, Rendered, matches, pod_of, render, rendered

OLDEST, NEWEST = "1.32", "1.37"
CUSTOM = {"ScaledObject"}
OURS = {f"{service}-{part}" for service in NAMES for part in ("api", "worker", "migrate")}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_manifest_is_what_the_api_of_kubernetes_takes(version: str) -> None:
    """One of each shape: the five services differ by names alone."""
    shapes = {
        (each["kind"], each["metadata"]["name"].removeprefix(f"{each['metadata'].get('labels', {}).get(NAME)}-")): each
        for each in (*rendered("small").manifests, *rendered("production").manifests)
    }
    for manifest in shapes.values():
        if manifest["kind"] not in CUSTOM:
            kubernetes_validate.validate(manifest, version, strict=True)
    assert {"Deployment", "Job", "StatefulSet", "NetworkPolicy", "Ingress"} <= {kind for kind, _ in shapes}


def test_a_manifest_with_a_misspelt_field_would_be_noticed() -> None:
    broken = copy.deepcopy(rendered("small").named("Deployment")["customer-api"])
    broken["spec"]["template"]["spec"]["terminationGracePeriod"] = 45
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, NEWEST, strict=True)


@pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="no kubectl here; kustomize's own program renders elsewhere"
)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_renders_what_kustomize_renders(overlay: str) -> None:
    assert tuple(yaml.safe_load_all(render(["kubectl", "kustomize"], overlay))) == rendered(overlay).manifests


def test_every_service_has_an_api_a_worker_and_a_migration(suite: Rendered) -> None:
    assert {pod.owner for pod in suite.pods if pod.is_ours} == OURS
    for pod in suite.pods:
        if pod.is_ours:
            assert pod.owner == f"{pod.service}-{pod.part}"


def test_everything_stands_in_the_suite_s_namespace(suite: Rendered) -> None:
    (namespace,) = suite.named("Namespace")
    assert {each["metadata"].get("namespace") for each in suite.manifests if each["kind"] != "Namespace"} == {namespace}


def test_no_container_may_do_more_than_it_needs(suite: Rendered) -> None:
    for pod in suite.pods:
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"] is True, pod.owner
        assert security["runAsUser"] > 0, pod.owner
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, pod.owner
        assert pod.spec["automountServiceAccountToken"] is False, pod.owner
        assert pod.spec["enableServiceLinks"] is False, pod.owner
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, (pod.owner, container["name"])


def test_every_container_says_what_it_takes(suite: Rendered) -> None:
    for pod in suite.pods:
        for container in pod.containers:
            resources = container["resources"]
            assert resources["requests"].keys() == {"cpu", "memory"}, (pod.owner, container["name"])
            assert "memory" in resources["limits"], (pod.owner, container["name"])


def test_every_lasting_container_is_asked_how_it_is_and_liveness_asks_for_nothing_that_others_share(
    suite: Rendered,
) -> None:
    for pod in suite.pods:
        if pod.kind == "Job":
            continue
        for container in pod.spec["containers"]:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                asked = container[probe]
                port = asked.get("httpGet", asked.get("tcpSocket", {})).get("port")
                assert port is None or port in pod.ports, (pod.owner, probe)
            if pod.is_ours:
                assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
                assert container["startupProbe"]["httpGet"]["path"] == "/livez"
                assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_whatever_selects_pods_selects_those_of_its_own_service_and_part(suite: Rendered) -> None:
    for kind in ("Service", "PodDisruptionBudget", "Deployment", "StatefulSet"):
        for manifest in suite.of(kind):
            found = suite.selected(manifest["spec"]["selector"])
            labels = manifest["metadata"]["labels"]
            assert [(pod.service, pod.part) for pod in found] == [(labels[NAME], labels[COMPONENT])], manifest[
                "metadata"
            ]
    for pod in suite.pods:
        for spread in pod.spec.get("topologySpreadConstraints", ()):
            assert suite.selected(spread["labelSelector"]) == [pod]


def test_services_point_at_ports_that_are_open(suite: Rendered) -> None:
    for manifest in suite.of("Service"):
        (pod,) = suite.selected(manifest["spec"]["selector"])
        for port in manifest["spec"]["ports"]:
            assert pod.ports[port["targetPort"]] == port["port"]
    for manifest in suite.of("Ingress"):
        for rule in manifest["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                ports = suite.named("Service")[backend["name"]]["spec"]["ports"]
                assert backend["port"]["name"] in {port["name"] for port in ports}


def test_only_the_gateway_is_reached_from_outside(suite: Rendered) -> None:
    assert {each["spec"].get("type", "ClusterIP") for each in suite.of("Service")} == {"ClusterIP"}
    (ingress,) = suite.of("Ingress")
    backends = [
        path["backend"]["service"]["name"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]
    ]
    assert backends == ["gateway-api"]


def test_metrics_are_fetched_from_ports_that_are_open(suite: Rendered) -> None:
    for owner in suite.of("Deployment"):
        notes = owner["spec"]["template"]["metadata"]["annotations"]
        assert int(notes["prometheus.io/port"]) in pod_of(owner).ports.values(), owner["metadata"]["name"]


def test_all_images_of_ours_have_one_version_and_it_is_this_one(suite: Rendered) -> None:
    versions = {
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["version"]
        for folder in (
            "shared",
            "gateway",
            "deploy/suite",
            *(f"services/{name}" for name in NAMES if name != "gateway"),
        )
    }
    (version,) = versions
    for pod in suite.pods:
        for container in pod.containers:
            repository, _, tag = container["image"].rpartition(":")
            assert repository, container["image"]
            assert tag not in {"", "latest"}, container["image"]
            if pod.is_ours:
                assert tag == version
                assert repository.endswith(f"corkscrew/{pod.service}")
    assert f"CORKSCREW_VERSION:-{version}" in (ROOT / "docker-compose.yml").read_text()


def test_new_code_waits_for_its_migrations(suite: Rendered) -> None:
    for pod in suite.pods:
        if pod.part in {"api", "worker"}:
            first = pod.spec["initContainers"][0]
            assert first["args"] == ["migrated"]
            assert first["image"] == pod.spec["containers"][0]["image"]
            assert first["envFrom"] == pod.spec["containers"][0]["envFrom"]


def test_a_new_release_answers_before_an_old_process_goes(suite: Rendered) -> None:
    for owner in suite.of("Deployment"):
        assert owner["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_no_budget_ever_blocks_a_drain(suite: Rendered) -> None:
    """`minAvailable` would, with a single replica; so would pods that aren't ready and may not be evicted."""
    budgets = suite.of("PodDisruptionBudget")
    assert len(budgets) == 2 * len(NAMES)
    for budget in budgets:
        assert "minAvailable" not in budget["spec"]
        assert budget["spec"]["maxUnavailable"] >= 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_what_is_scaled_exists_once_and_nobody_else_says_how_many() -> None:
    suite = rendered("production")
    deployments = suite.named("Deployment")
    scalers = suite.of("HorizontalPodAutoscaler") + suite.of("ScaledObject")
    assert sorted(each["spec"]["scaleTargetRef"]["name"] for each in scalers) == sorted(deployments)
    assert not any("replicas" in each["spec"] for each in deployments.values())
    for each in suite.of("HorizontalPodAutoscaler"):
        assert 2 <= each["spec"]["minReplicas"] < each["spec"]["maxReplicas"]


def test_there_are_never_more_workers_than_the_outbox_has_slots_and_topics_have_partitions() -> None:
    for scaler in rendered("production").of("ScaledObject"):
        assert 1 <= scaler["spec"]["minReplicaCount"] < scaler["spec"]["maxReplicaCount"] <= min(SLOTS, PARTITIONS)


def test_workers_are_scaled_by_the_lag_of_their_own_group() -> None:
    for scaler in rendered("production").of("ScaledObject"):
        (trigger,) = scaler["spec"]["triggers"]
        assert trigger["type"] == "kafka"
        assert trigger["metadata"]["consumerGroup"] == f"crm.{scaler['metadata']['labels'][NAME]}"
        assert "topic" not in trigger["metadata"]  # all that the group reads


def test_a_trial_needs_no_autoscaler_and_brings_a_database_for_each_service() -> None:
    suite = rendered("small")
    assert not suite.of("HorizontalPodAutoscaler") + suite.of("ScaledObject")
    databases = [pod for pod in suite.pods if pod.part == "postgres"]
    assert {pod.service for pod in databases} == NAMES.keys()
    assert KUSTOMIZE.exists()


def test_a_selector_tells_those_it_takes_from_those_it_doesn_t() -> None:
    labels = {"a": "1", "b": "2"}
    assert matches({}, labels)
    assert matches({"a": "1"}, labels)
    assert not matches({"matchLabels": {"a": "2"}}, labels)
    assert matches({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["3"]}]}, labels)
    assert not matches(
        {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "In", "values": []}]}, labels
    )
