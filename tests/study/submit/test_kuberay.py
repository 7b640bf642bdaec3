"""The manifest of a study on Kubernetes, and what is refused before kubectl is asked."""

from __future__ import annotations

import copy
import json
import os
import shlex
import stat
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from study.config import StudyConfig
from study.submit.__main__ import main
from trainables.command_line import read

SCHEMA = json.loads((Path(__file__).parent / "kubernetes.schema.json").read_text())
STUDY = ("--backend", "kuberay", "--space", "gradnorm", "--scale", "smoke", "--storage-dir", "/storage")
REQUIRED = ("--image", "registry/study:1", "--claim", "studies", "--cpus-per-node", "4")
EVERYTHING = (
    *(
        "--backend",
        "kuberay",
        "--space",
        "gradnorm",
        "--scale",
        "paper",
        "--storage-dir",
        "/storage",
        "--name",
        "night",
        "--trials",
        "40",
    ),
    *("--image", "registry:5000/study@sha256:0a", "--claim", "studies", "--claim-size", "100Gi"),
    *("--storage-class", "nfs", "--namespace", "ml", "--nodes", "3", "--gpus-per-node", "4", "--gpus-per-trial", "0.5"),
    *("--memory-per-node", "64Gi", "--token-secret", "ray-token", "--credentials-secret", "tracking"),
    *("--node-selector", "cloud.example/gpu=l4", "zone=true", "--tracking-uri", "http://mlflow:5000"),
)


def check(manifest):
    """Raise where a field is unknown to Kubernetes or KubeRay, or has another type."""
    for part in manifest:
        kind = part["kind"]
        Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]}).validate(part)


@pytest.fixture
def manifest(capsys):
    def render(*arguments):
        assert main(["--dry-run", *arguments]) == 0
        parts = list(yaml.safe_load_all(capsys.readouterr().out))
        check(parts)
        return {part["kind"]: part for part in parts}

    return render


def containers(manifest):
    cluster = manifest["RayJob"]["spec"]["rayClusterSpec"]
    pods = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [container for pod in pods for container in pod["template"]["spec"]["containers"]]


def test_the_least_that_has_to_be_said(manifest):
    parts = manifest(*STUDY, *REQUIRED)
    assert set(parts) == {"ConfigMap", "NetworkPolicy", "RayJob"}
    assert all("namespace" not in part["metadata"] for part in parts.values())
    head, worker = containers(parts)
    assert worker["resources"] == {kind: {"cpu": 4, "memory": "16Gi"} for kind in ("requests", "limits")}
    assert "envFrom" not in head
    spec = parts["RayJob"]["spec"]["rayClusterSpec"]
    assert spec["workerGroupSpecs"][0]["replicas"] == 1
    assert spec["authOptions"] == {"mode": "token"}


def test_everything_that_can_be_said(manifest):
    parts = manifest(*EVERYTHING)
    assert set(parts) == {"PersistentVolumeClaim", "ConfigMap", "NetworkPolicy", "RayJob"}
    assert {part["metadata"]["namespace"] for part in parts.values()} == {"ml"}
    claim = parts["PersistentVolumeClaim"]
    assert claim["metadata"]["name"] == "studies"
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "nfs",
        "resources": {"requests": {"storage": "100Gi"}},
    }
    (workers,) = parts["RayJob"]["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert (workers["replicas"], workers["minReplicas"], workers["maxReplicas"]) == (3, 3, 3)
    pod = workers["template"]["spec"]
    assert pod["nodeSelector"] == {"cloud.example/gpu": "l4", "zone": "true"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    limits = {"cpu": 8, "memory": "64Gi", "nvidia.com/gpu": 4}  # eight trials share the four GPUs
    assert pod["containers"][0]["resources"] == {"requests": limits, "limits": limits}


def test_what_runs_goes_on_with_the_study_after_a_lost_cluster(manifest):
    parts = manifest(*EVERYTHING)
    spec = parts["RayJob"]["spec"]
    script = parts["ConfigMap"]["data"]["study.sh"]
    assert spec["entrypoint"] == "bash /etc/study/study.sh"
    assert shlex.split(script)[:4] == ["exec", "python", "-m", "study.launch"]
    for said in ("--resume auto", "--name night", "--address auto", "--storage-dir /storage", "--trials 40"):
        assert said in script
    assert spec["backoffLimit"] > 0
    assert spec["shutdownAfterJobFinishes"] is True
    for pod in (spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]):
        volumes = {volume["name"]: volume for volume in pod["template"]["spec"]["volumes"]}
        assert volumes["storage"]["persistentVolumeClaim"] == {"claimName": "studies"}
        mounts = {mount["name"]: mount for mount in pod["template"]["spec"]["containers"][0]["volumeMounts"]}
        assert mounts["storage"]["mountPath"] == "/storage"
    assert volumes.keys() == {"storage"}  # the workers' command is KubeRay's


def test_kueue_knows_the_queue_and_the_priority(manifest):
    parts = manifest(*STUDY, *REQUIRED, "--queue", "gpus", "--priority", "night")
    labels = parts["RayJob"]["metadata"]["labels"]
    assert labels == {"kueue.x-k8s.io/queue-name": "gpus", "kueue.x-k8s.io/priority-class": "night"}
    spec = parts["RayJob"]["spec"]
    assert spec["shutdownAfterJobFinishes"]  # what Kueue asks for
    assert "enableInTreeAutoscaling" not in spec["rayClusterSpec"]
    assert "labels" not in manifest(*STUDY, *REQUIRED)["RayJob"]["metadata"]


def test_a_cluster_grows_while_trials_wait(manifest):
    parts = manifest(*STUDY, *REQUIRED, "--nodes", "0-8", "--trials", "100")
    cluster = parts["RayJob"]["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    assert cluster["enableInTreeAutoscaling"] is True
    assert (workers["replicas"], workers["minReplicas"], workers["maxReplicas"]) == (0, 0, 8)
    # The autoscaler beside the head talks to Kubernetes; nothing else does.
    assert "automountServiceAccountToken" not in cluster["headGroupSpec"]["template"]["spec"]
    assert workers["template"]["spec"]["automountServiceAccountToken"] is False
    command = shlex.split(parts["ConfigMap"]["data"]["study.sh"])
    config = read(StudyConfig, "test", command[4:])
    assert (config.cluster_grows, config.max_concurrent) == (True, 32)  # four trials of a CPU on each node
    fewer = manifest(*STUDY, *REQUIRED, "--nodes", "1-8", "--max-concurrent", "6")["ConfigMap"]["data"]["study.sh"]
    assert "--max-concurrent 6" in fewer


def test_the_head_runs_no_trials(manifest):
    head = manifest(*STUDY, *REQUIRED)["RayJob"]["spec"]["rayClusterSpec"]["headGroupSpec"]
    assert head["rayStartParams"] == {"num-cpus": "0"}


def test_secrets_are_named_and_never_written(manifest):
    parts = manifest(*EVERYTHING)
    assert parts["RayJob"]["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token", "secretName": "ray-token"}
    head, worker = containers(parts)
    assert head["envFrom"] == [{"secretRef": {"name": "tracking"}}]
    assert "envFrom" not in worker  # the driver is the only writer
    for container in (head, worker):
        values = {variable["name"]: variable["value"] for variable in container["env"]}
        assert values["RAY_AUTH_MODE"] == "token"
        assert not any("TOKEN" in name or "PASSWORD" in name for name in values)


def test_only_the_studys_pods_and_kuberay_reach_ray(manifest):
    parts = manifest(*STUDY, *REQUIRED, "--name", "night")
    policy = parts["NetworkPolicy"]["spec"]
    ours = {"matchLabels": {"app.kubernetes.io/instance": "night"}}
    assert policy["podSelector"] == ours
    cluster = parts["RayJob"]["spec"]["rayClusterSpec"]
    for pod in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert pod["template"]["metadata"]["labels"] == ours["matchLabels"]
        assert pod["template"]["spec"]["automountServiceAccountToken"] is False
    assert policy["policyTypes"] == ["Ingress"]
    anywhere, dashboard = policy["ingress"]
    assert anywhere == {"from": [{"podSelector": ours}]}
    assert dashboard["ports"] == [{"protocol": "TCP", "port": 8265}]
    assert all(source["podSelector"]["matchLabels"] for source in dashboard["from"])


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "a'b\"c",
        "$(touch /tmp/x) `id` ; exit 0 #",
        "x: y\n- z",
        "{{ name }} {% raw %}",
        "é\u2028\U0001f600\x85\t",
        "*&!|>%@",
    ],
)
def test_whatever_an_argument_holds_reaches_the_study_as_it_is(manifest, text):
    parts = manifest(*STUDY, *REQUIRED, "--dataset", f"folder:/{text}", "--storage-dir", f"/{text.replace(':', '')}")
    command = shlex.split(parts["ConfigMap"]["data"]["study.sh"])
    assert command[command.index("--dataset") + 1] == f"folder:/{text}"
    assert command[command.index("--storage-dir") + 1] == f"/{text.replace(':', '')}"
    for container in containers(parts):
        assert container["volumeMounts"][0]["mountPath"] == f"/{text.replace(':', '')}"


def test_the_file_of_a_space_goes_into_the_manifest(manifest, space_file):
    parts = manifest(*STUDY, *REQUIRED, "--space", f"{space_file}:Mine")
    assert parts["ConfigMap"]["data"]["mine.py"] == space_file.read_text()
    command = shlex.split(parts["ConfigMap"]["data"]["study.sh"])
    head = containers(parts)[0]
    folder = next(mount["mountPath"] for mount in head["volumeMounts"] if mount["name"] == "study")
    assert command[command.index("--space") + 1] == f"{folder}/mine.py:Mine"


def test_the_file_of_a_space_that_is_too_large_for_kubernetes(refused, space_file):
    space_file.write_text(f"{space_file.read_text()}{'#' * 1_000_000}\n")
    assert "is too large for Kubernetes" in refused(*STUDY, *REQUIRED, "--space", f"{space_file}:Mine")


def test_every_study_gets_a_name_that_kubernetes_takes(manifest):
    names = {
        name: manifest(*STUDY, *REQUIRED, "--name", name)["RayJob"]["metadata"]["name"]
        for name in ("night", "Night", "step_ratio", "step.ratio", "step-ratio", "0", "a-", "yes", "x" * 47, "x" * 48)
    }
    assert len(set(names.values())) == len(names)
    assert all(names[name] == name for name in ("night", "step-ratio", "yes", "x" * 47))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--claim", "c"], "name an image that has this project installed with --image"),
        (["--image", "i"], "name the volume claim that keeps the study with --claim"),
        ([*REQUIRED, "--image", "a b"], "--image 'a b' is no name of an image"),
        ([*REQUIRED, "--claim", "My_Claim"], "--claim 'My_Claim': Kubernetes' names are small letters"),
        ([*REQUIRED, "--namespace", "-"], "--namespace '-': Kubernetes' names"),
        ([*REQUIRED, "--token-secret", "a\nb"], "--token-secret 'a\\nb': Kubernetes' names"),
        ([*REQUIRED, "--memory-per-node", "16 GB"], "--memory-per-node '16 GB': write it as Kubernetes does"),
        ([*REQUIRED, "--claim-size", "0"], "--claim-size '0': write it as Kubernetes does"),
        ([*REQUIRED, "--storage-class", "nfs"], "say how large with --claim-size"),
        ([*REQUIRED, "--node-selector", "gpu"], "--node-selector 'gpu': write a label of the nodes as KEY=VALUE"),
        ([*REQUIRED, "--nodes", "8-0"], "--nodes 8-0: write a number from 1, or a range from a smaller to a larger"),
        ([*REQUIRED, "--nodes", "0"], "--nodes 0: write a number from 1"),
        ([*REQUIRED, "--nodes", "2-2"], "--nodes 2-2: write a number from 1"),
        ([*REQUIRED, "--nodes", "many"], "--nodes many: write a number from 1"),
        ([*REQUIRED, "--nodes", "0-8", "--queue", "q"], "Kueue takes no cluster that grows, say one number"),
        ([*REQUIRED, "--priority", "high"], "--priority is for a queue of Kueue: name it with --queue"),
        ([*REQUIRED, "--queue", "My Queue"], "--queue 'My Queue': Kubernetes' names are small letters"),
        ([*REQUIRED, "--queue", "q" * 64], "has more than 63 characters"),
        ([*REQUIRED, "--address", "auto"], "leave out --address"),
        ([*REQUIRED, "--storage-dir", "/a:b"], "mounts no claim at a path with a colon"),
        (["--image", "i", "--claim", "c"], "say how many CPUs each node gives to trials with --cpus-per-node"),
        ([*REQUIRED, "--scale", "paper"], "a trial asks for 1 CPUs and 1 GPUs, a node would have 4 and 0"),
        ([*REQUIRED, "--partition", "p"], "--partition is not an option of --backend kuberay"),
        ([*REQUIRED, "--tracking-uri", "http://me:secret@mlflow"], "--tracking-uri holds a password"),
        (
            [*REQUIRED, "--action", "stop", "--name", "x"],
            "--action is not an option of --backend kuberay, but of ray-job",
        ),
    ],
)
def test_bad_input_is_one_sentence(refused, monkeypatch, arguments, sentence):
    monkeypatch.setenv("PATH", "")
    said = refused(*STUDY, *arguments)
    assert sentence in said
    assert "secret@" not in said


def test_a_misspelt_or_foreign_field_is_found(manifest):
    parts = manifest(*EVERYTHING)
    for damage in (
        lambda job: job["spec"].update(backofLimit=1),
        lambda job: job["spec"].update(backoffLimit="5"),
        lambda job: job["spec"]["rayClusterSpec"].update(authOption={}),
        lambda job: job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].pop("minReplicas"),
        lambda job: job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"].update({"num-cpus": 0}),
        lambda job: job["metadata"].update(name="1-night"),
    ):
        job = copy.deepcopy(parts["RayJob"])
        damage(job)
        with pytest.raises(ValidationError):
            check([job])


def test_without_kubectl_nothing_is_submitted(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no kubectl here" in refused(*STUDY, *REQUIRED)


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    """A `kubectl` that keeps what it is told; returns what sets the shell script by which it answers to a verb."""
    tool = tmp_path / "kubectl"
    tool.write_text(
        "#!/bin/sh\nfor word; do case $word in get|apply|--dry-run=server) verb=$word;; esac; done\n"
        f'echo "$@" >> {tmp_path}/commands\n'
        f"test $verb = apply && cat > {tmp_path}/applied\n"
        f". {tmp_path}/$verb\n"
    )
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def answer(verb, script):
        (tmp_path / verb).write_text(script)

    answer("get", "exit 0")
    answer("--dry-run=server", "exit 0")
    answer("apply", "echo rayjob.ray.io/night created")
    tmp_path.joinpath("commands").touch()
    return answer


def test_kubectl_gets_the_manifest(kubectl, tmp_path, capsys):
    arguments = [*STUDY, *REQUIRED, "--name", "night", "--namespace", "ml"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "rayjob.ray.io/night created" in shown
    for command in ("get rayjob night", "logs --follow job/night", "delete rayjob night"):
        assert f"  kubectl --namespace ml {command}\n" in shown
    assert main([*arguments, "--dry-run"]) == 0
    assert (tmp_path / "applied").read_text() == capsys.readouterr().out
    commands = (tmp_path / "commands").read_text().splitlines()
    assert commands[-2:] == [f"--namespace ml apply --filename -{how}" for how in (" --dry-run=server", "")]


def test_a_rayjob_that_is_there_already_is_left_alone(kubectl, refused, tmp_path):
    kubectl("get", "echo rayjob.ray.io/night")
    said = refused(*STUDY, *REQUIRED, "--name", "night")
    assert "RayJob night is there already" in said
    assert "kubectl delete rayjob night" in said
    assert not (tmp_path / "applied").exists()


def test_a_manifest_of_which_a_part_is_refused_is_not_applied(kubectl, refused, tmp_path):
    kubectl("--dry-run=server", "echo 'claim \"studies\" is forbidden: it cannot shrink' >&2; exit 1")
    assert "it cannot shrink" in refused(*STUDY, *REQUIRED)
    assert not (tmp_path / "applied").exists()


def test_kubectls_own_words_are_shown(kubectl, refused, tmp_path):
    kubectl("get", "echo noise >&2; echo 'error: no resource type \"rayjob\"' >&2; exit 1")
    assert 'kubectl refuses: error: no resource type "rayjob"' in refused(*STUDY, *REQUIRED)
    assert not (tmp_path / "applied").exists()
