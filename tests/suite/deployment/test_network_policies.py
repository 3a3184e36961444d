"""Who may speak to whom, worked out from the policies as a cluster would: all that isn't said is denied."""

from collections.abc import Iterator

from crm_suite.topology import GATEWAY, NAMES

from .manifests import Manifest, Pod, Rendered, matches, rendered

OUTSIDE = {"gateway-api": {443, 8443}, "gateway-worker": {443, 8443}, "communication-dispatch-worker": {25, 465, 587}}
"""Who may speak to any address of the world, and on which ports."""


def policies_of(suite: Rendered, pod: Pod, direction: str) -> list[Manifest]:
    return [
        each["spec"]
        for each in suite.of("NetworkPolicy")
        if direction in each["spec"]["policyTypes"] and matches(each["spec"]["podSelector"], pod.labels)
    ]


def allows(suite: Rendered, pod: Pod, direction: str, peer: Pod, port: int) -> bool:
    """Whether the policies of one end let the other end through, which is in the same namespace."""
    policies = policies_of(suite, pod, direction)
    rules = [rule for each in policies for rule in each.get(direction.lower(), ())]
    side = "to" if direction == "Egress" else "from"
    return not policies or any(
        port in {each["port"] for each in rule["ports"]}
        and any(
            "namespaceSelector" not in other and matches(other["podSelector"], peer.labels)
            for other in rule.get(side, [])
            if "podSelector" in other
        )
        for rule in rules
    )


def conversations(suite: Rendered) -> Iterator[tuple[str, str, int]]:
    for caller in suite.pods:
        for called in suite.pods:
            for port in called.ports.values():
                if allows(suite, caller, "Egress", called, port) and allows(suite, called, "Ingress", caller, port):
                    yield caller.owner, called.owner, port


def test_nothing_is_allowed_that_no_policy_names(suite: Rendered) -> None:
    default = suite.named("NetworkPolicy")["nothing"]["spec"]
    assert default == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_within_a_trial_s_namespace_each_speaks_to_its_own_database_workers_to_kafka_and_the_gateway_to_services() -> (
    None
):
    databases = {
        (f"{name}-{part}", f"{name}-postgres", 5432) for name in NAMES for part in ("api", "worker", "migrate")
    }
    kafka = {(f"{name}-worker", "kafka", 9092) for name in NAMES}
    door = {("gateway-api", f"{name}-api", 8000) for name in NAMES if name != GATEWAY}
    assert set(conversations(rendered("small"))) == databases | kafka | door


def test_within_production_s_namespace_the_gateway_speaks_to_services_and_nobody_else_to_anybody() -> None:
    door = {("gateway-api", f"{name}-api", 8000) for name in NAMES if name != GATEWAY}
    assert set(conversations(rendered("production"))) == door


def test_in_production_each_service_reaches_a_network_of_databases_that_no_other_reaches() -> None:
    suite = rendered("production")
    networks: dict[str, set[str]] = {}
    for pod in suite.pods:
        rules = [rule for each in policies_of(suite, pod, "Egress") for rule in each.get("egress", ())]
        for rule in rules:
            if {each["port"] for each in rule["ports"]} == {5432}:
                networks.setdefault(pod.service, set()).update(other["ipBlock"]["cidr"] for other in rule["to"])
    assert networks.keys() == NAMES.keys()
    assert len(set.union(*networks.values())) == len(NAMES)
    assert all(len(each) == 1 for each in networks.values())


def test_only_mail_and_webhooks_leave_for_the_world(suite: Rendered) -> None:
    found: dict[str, set[int]] = {}
    for pod in suite.pods:
        for policy in policies_of(suite, pod, "Egress"):
            for rule in policy.get("egress", ()):
                blocks = [other["ipBlock"]["cidr"] for other in rule.get("to", ()) if "ipBlock" in other]
                if "to" not in rule or "0.0.0.0/0" in blocks:
                    found.setdefault(pod.owner, set()).update(each["port"] for each in rule["ports"])
    assert found == OUTSIDE


def test_webhooks_reach_no_private_network(suite: Rendered) -> None:
    blocks = {
        other["ipBlock"]["cidr"]: other["ipBlock"].get("except", [])
        for rule in suite.named("NetworkPolicy")["webhooks-to-the-world"]["spec"]["egress"]
        for other in rule["to"]
    }
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"} <= set(
        blocks["0.0.0.0/0"]
    )
    assert blocks.keys() == {"0.0.0.0/0", "2000::/3"}


def test_from_other_namespaces_come_the_ingress_controller_and_metrics_alone(suite: Rendered) -> None:
    found = {
        (pod.owner, other["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
        for pod in suite.pods
        for policy in policies_of(suite, pod, "Ingress")
        for rule in policy.get("ingress", ())
        for other in rule["from"]
        if "namespaceSelector" in other
    }
    metrics = {(f"{name}-{part}", "monitoring") for name in NAMES for part in ("api", "worker")}
    assert found == {("gateway-api", "ingress-nginx")} | metrics


def test_every_port_a_policy_opens_towards_a_pod_is_open_there(suite: Rendered) -> None:
    for policy in suite.of("NetworkPolicy"):
        for rule in policy["spec"].get("ingress", ()):
            opened = {port for pod in suite.selected(policy["spec"]["podSelector"]) for port in pod.ports.values()}
            assert {each["port"] for each in rule["ports"]} <= opened, policy["metadata"]["name"]


def test_everybody_may_ask_for_names(suite: Rendered) -> None:
    for pod in suite.pods:
        asked = [rule for each in policies_of(suite, pod, "Egress") for rule in each.get("egress", ())]
        assert any(
            {(each["port"], each["protocol"]) for each in rule["ports"]} == {(53, "UDP"), (53, "TCP")} for rule in asked
        )
