"""What stands in `deploy/` fits together: every setting exists, every placeholder is filled."""

import asyncio
import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import prefect.settings
import pytest
import yaml
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings.legacy import _get_valid_setting_names
from prefect.utilities.templating import find_placeholders

from deploy.embedded.environment import QUIET, SERVER, WORKER, messaging
from models.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose" / "compose.yaml"
MANIFEST = ROOT / "deploy" / "kubernetes" / "fileorganizer.yaml"
POOL = ROOT / "deploy" / "kubernetes" / "work-pool.json"
RECIPES = (COMPOSE, MANIFEST, POOL, COMPOSE.parent / "example.env", ROOT / "deploy" / "Dockerfile")
TEXTS = (*RECIPES, ROOT / "docs" / "operating.md", ROOT / "README.md")

NO_SETTINGS = {
    "FILEORGANIZER_ROOT",  # read by the pull step of prefect.yaml
    "FILEORGANIZER_STACK",  # marks the children of a stack
    "FILEORGANIZER_VERSION",  # of the image that compose builds
    "FILEORGANIZER_FILES",  # what compose mounts
    "FILEORGANIZER_TEST_HOME",
}


def services() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text())["services"]


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFEST.read_text()))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path):
    named = set(re.findall(r"\bFILEORGANIZER_[A-Z0-9_]+[A-Z0-9]\b", path.read_text()))
    ours = {f"FILEORGANIZER_{name.upper()}" for name in Settings.model_fields}
    assert named - ours - NO_SETTINGS == set()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_setting_of_prefect_that_is_named_exists(path: Path):
    named = set(re.findall(r"\bPREFECT_[A-Z0-9_]+[A-Z0-9]\b", path.read_text()))
    of_redis = {name for name in named if name.startswith("PREFECT_REDIS_")}
    assert of_redis <= {"PREFECT_REDIS_MESSAGING_URL"}
    assert named - of_redis - _get_valid_setting_names(prefect.settings.Settings) == set()


def test_our_own_tuning_names_settings_that_exist():
    names = {*QUIET, *SERVER, *WORKER, *messaging("redis://host/0")} - {"DO_NOT_TRACK"}
    assert names - _get_valid_setting_names(prefect.settings.Settings) == {
        "PREFECT_REDIS_MESSAGING_URL"
    }


def test_a_module_that_a_redis_setting_names_is_there():
    for name, value in messaging("redis://host/0").items():
        assert "redis://" in value or importlib.util.find_spec(value), name


def server_in(recipe: str) -> dict[str, str]:
    """Return the variables of the Prefect server in a recipe."""
    if recipe == "compose":
        return services()["prefect-server"]["environment"]
    (server,) = [
        each
        for each in manifests()
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "prefect-server"
    ]
    (container,) = server["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


@pytest.mark.parametrize("recipe", ["compose", "kubernetes"])
def test_servers_are_tuned_as_the_embedded_one_and_speak_through_redis(recipe: str):
    given = server_in(recipe)
    url = given.get("PREFECT_REDIS_MESSAGING_URL", "redis://of-the-secret/0")
    secret = (
        {}
        if recipe == "compose"
        else {
            "PREFECT_REDIS_MESSAGING_URL": url,
            "PREFECT_SERVER_DOCKET_URL": url,
        }
    )
    wanted = messaging(url) | {
        name: value for name, value in SERVER.items() if "_SERVICES_" in name
    }
    assert wanted.items() <= {**given, **secret}.items()


def test_every_part_of_compose_is_named_where_it_is_waited_for():
    parts = services()
    for name, part in parts.items():
        for other, condition in part.get("depends_on", {}).items():
            assert other in parts, name
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in parts[other], (name, other)
    assert all(port.startswith("127.0.0.1:") for p in parts.values() for port in p.get("ports", ()))
    volumes = yaml.safe_load(COMPOSE.read_text())["volumes"]
    mounted = {mount.split(":")[0] for part in parts.values() for mount in part.get("volumes", ())}
    assert {name for name in mounted if not name.startswith((".", "$"))} == set(volumes)


def test_compose_asks_for_each_secret_and_the_example_lists_it():
    text = COMPOSE.read_text()
    asked = set(re.findall(r"\$\{([A-Z0-9_]+):\?", text))
    listed = {
        line.partition("=")[0]
        for line in (COMPOSE.parent / "example.env").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert asked <= listed
    assert listed <= set(re.findall(r"\$\{([A-Z0-9_]+)", text))


def test_compose_files_are_what_compose_reads():
    if not _runs("docker", "compose", "version"):
        pytest.skip("no docker compose (2 or newer) on this machine")
    env = dict.fromkeys(re.findall(r"\$\{([A-Z0-9_]+)", COMPOSE.read_text()), "x")
    done = subprocess.run(
        ["docker", "compose", "-f", str(COMPOSE), "config", "--quiet"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _runs(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_prefect_takes_the_template_of_the_kubernetes_pool():
    template = json.loads(POOL.read_text())
    WorkPoolCreate(name="fileorganizer", type="kubernetes", base_job_template=template)
    variables = set(template["variables"]["properties"])
    used = {each.name for each in find_placeholders(template["job_configuration"])}
    assert used == variables


def test_kubernetes_objects_refer_to_what_there_is():
    objects = manifests()
    names = {(each["kind"], each["metadata"]["name"]) for each in objects}
    assert len(names) == len(objects)
    for each in objects:
        assert each["metadata"].get("namespace") == "fileorganizer"
        if each["kind"] == "Service":
            assert ("Deployment", each["spec"]["selector"]["app"]) in names
        if each["kind"] not in {"Deployment", "Job"}:
            continue
        spec = each["spec"]["template"]["spec"]
        if each["kind"] == "Deployment":
            labels = each["spec"]["template"]["metadata"]["labels"]
            assert each["spec"]["selector"]["matchLabels"] == labels
        assert spec["securityContext"]["runAsNonRoot"]
        account = spec.get("serviceAccountName")
        assert account is None or ("ServiceAccount", account) in names
        assert account or spec["automountServiceAccountToken"] is False
        (container,) = spec["containers"]
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        assert mounts == {volume["name"] for volume in spec["volumes"]}
        for source in container["envFrom"]:
            if name := source.get("configMapRef", {}).get("name"):
                assert ("ConfigMap", name) in names
    template = json.loads(POOL.read_text())
    account = template["variables"]["properties"]["service_account_name"]["default"]
    assert ("ServiceAccount", account) in names


def test_the_image_starts_what_exists():
    commands = [part.get("command", []) for part in services().values()]
    commands += [
        container["args"]
        for each in manifests()
        for container in each.get("spec", {})
        .get("template", {})
        .get("spec", {})
        .get("containers", ())
    ]
    modules = {line[2] for line in commands if line[:2] == ["python", "-m"]}
    parts = {"api.runs.dispatcher", "api.main", "tasks.categorize.query_service"}
    assert modules == {"deploy.setup", *parts}
    for module in modules:
        assert importlib.util.find_spec(module) is not None


def test_the_kubernetes_worker_takes_the_template():
    worker = pytest.importorskip("prefect_kubernetes.worker", reason="the extra `kubernetes`")
    template = json.loads(POOL.read_text())
    configuration = asyncio.run(
        worker.KubernetesWorkerJobConfiguration.from_template_and_values(template, {})
    )
    (container,) = configuration.job_manifest["spec"]["template"]["spec"]["containers"]
    assert container["args"] == "python -m prefect.engine"
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "2Gi"}


def test_every_process_of_the_embedded_stack_is_in_both_recipes():
    wanted = {"prefect-server", "worker", "dispatcher", "api", "query-service"}
    deployed = {each["metadata"]["name"] for each in manifests() if each["kind"] == "Deployment"}
    assert wanted <= set(services())
    assert wanted <= deployed
