"""A study on Kubernetes: a RayJob, which the KubeRay operator runs on a Ray cluster of its own."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated

import yaml

from study.nodes.capacity import Node
from study.submit.backend import JOB_STOP_SECONDS, TEMPLATES, Backend, NodeOptions, flag
from study.submit.submission import Submission
from trainables.errors import InputError
from trainables.options import Option

HEAD_CPUS = 2
HEAD_MEMORY = "8Gi"
"""For the driver, which also prepares the data sets; trials run on the workers."""

RESTARTS = 5
"""How many clusters may be lost before KubeRay gives up."""

GROUP = 1000
"""A group that can write to the claim. All pods are in it, whatever the user of their image is."""

LABEL_LENGTH = 63
"""The longest value of a label."""

NAME_LENGTH = 47
"""KubeRay appends to the name of a RayJob, and a label has at most 63 characters."""

FILES = "/etc/study"
"""Where the driver's pod finds the ConfigMap: the command, and the file of the search space."""

LARGEST_FILE = 900_000
"""Bytes: Kubernetes keeps a ConfigMap of 1 MiB at most."""

KUBECTL_SECONDS = 60


@dataclass(frozen=True)
class KubeRayOptions(NodeOptions):
    """The RayJob."""

    nodes: Annotated[str, Option(placeholder="N[-N]")] = "1"
    """How many nodes; or, as in 0-8, from how many to how many: Ray's autoscaler adds nodes while trials wait."""
    queue: str | None = None
    """Kueue's queue in the namespace: the job waits there until the quota has room for all of it."""
    priority: str | None = None
    """Kueue's priority class of the job, with --queue."""
    memory_per_node: Annotated[str, Option(placeholder="SIZE")] = "16Gi"
    """Memory of each node."""
    image: Annotated[str | None, Option(placeholder="IMAGE")] = None
    """The image of all pods, with the project installed."""
    namespace: str | None = None
    """The namespace; by default the one that `kubectl` uses."""
    claim: str | None = None
    """The volume claim that the storage folder is on."""
    claim_size: Annotated[str | None, Option(placeholder="SIZE")] = None
    """Make the claim, of this size, as in 100Gi."""
    storage_class: str | None = None
    """The storage class of a new claim; several nodes must be able to write to it."""
    token_secret: str | None = None
    """The secret whose key `auth_token` is Ray's token; by default each cluster gets a token of its own."""
    credentials_secret: str | None = None
    """A secret whose keys become environment variables of the driver, such as MLFLOW_TRACKING_PASSWORD and
    PGPASSWORD."""
    node_selector: Annotated[tuple[str, ...], Option(placeholder="KEY=VALUE...")] = ()
    """Labels that the workers' nodes must have."""


class KubeRay(Backend[KubeRayOptions]):
    """Submits by `kubectl`."""

    options_class = KubeRayOptions
    summary = "a RayJob on Kubernetes, with a Ray cluster of its own"
    refused = (*Backend.refused, "address")

    def render(self, submission: Submission[KubeRayOptions]) -> str:
        """The manifest: the RayJob, its command, who may reach it, and the claim where one is asked for."""
        options = submission.options
        _check(submission)
        cpus, gpus = options.of_a_node(submission.trial)
        least, most = _nodes(options)
        # A cluster of one size has what it has; one that grows does so because trials wait.
        waiting = most * Node("", "", cpus, gpus).fits(submission.trial) if least < most else None
        command = ["python", "-m", "study.launch", *submission.launch_arguments("auto", FILES, waiting)]
        files = {"study.sh": f"exec {shlex.join(command)}\n", **_space_file(submission)}
        return TEMPLATES.get_template("rayjob.yaml.j2").render(
            name=_quoted(_object_name(submission.name)),
            study=submission.name,
            namespace=_quoted(options.namespace),
            files={_quoted(name): _quoted(text) for name, text in files.items()},
            files_folder=FILES,
            storage=_quoted(str(submission.storage)),
            image=_quoted(options.image),
            ray_version=_quoted(version("ray")),
            claim=_quoted(options.claim),
            claim_size=_quoted(options.claim_size),
            storage_class=_quoted(options.storage_class),
            token_secret=_quoted(options.token_secret),
            credentials_secret=_quoted(options.credentials_secret),
            node_selector=[(_quoted(key), _quoted(value)) for key, value in _node_selector(options)],
            labels=_labels(options),
            nodes=least,
            most_nodes=most,
            cpus=cpus,
            gpus=gpus,
            memory=_quoted(options.memory_per_node),
            head_cpus=HEAD_CPUS,
            head_memory=_quoted(HEAD_MEMORY),
            restarts=RESTARTS,
            stop_seconds=_quoted(str(JOB_STOP_SECONDS)),
            group=GROUP,
        )

    def submit(self, submission: Submission[KubeRayOptions]) -> int:
        """Hand the manifest to `kubectl` and say how to follow the RayJob."""
        manifest = self.render(submission)
        name, namespace = _object_name(submission.name), submission.options.namespace
        kubectl = ["kubectl", *(["--namespace", namespace] if namespace else [])]
        if shutil.which("kubectl") is None:
            raise InputError("there is no kubectl here: submit where it is set up for the cluster, or use --dry-run.")
        # KubeRay runs a RayJob once, and ignores one that is applied again.
        if _run([*kubectl, "get", "rayjob", name, "--ignore-not-found", "--output", "name"]).strip():
            raise InputError(
                f"RayJob {name} is there already: wait for it, or end it with `kubectl delete rayjob {name}` "
                "and submit the study again, which goes on where it is."
            )
        apply = [*kubectl, "apply", "--filename", "-"]
        _run([*apply, "--dry-run=server"], manifest)  # first, because if it refuses a part, the others must not stay
        print(_run(apply, manifest), end="")
        print(f"study {submission.name} is RayJob {name}. Look at it, follow it, stop it with:")
        for action in (("get", "rayjob", name), ("logs", "--follow", f"job/{name}"), ("delete", "rayjob", name)):
            print(f"  {shlex.join([*kubectl, *action])}")
        return 0


def _check(submission: Submission[KubeRayOptions]) -> None:
    """Raise `InputError` for what Kubernetes would not take, and for what is missing."""
    options, storage = submission.options, submission.storage
    if submission.config.address is not None:
        raise InputError("KubeRay starts a Ray cluster of its own: leave out --address.")
    if options.image is None:
        raise InputError("name an image that has this project installed with --image.")
    if not re.fullmatch(r"[\w.:/@-]+", options.image, re.ASCII):
        raise InputError(f"--image {options.image!r} is no name of an image: write it as in registry/name:tag.")
    if options.claim is None:
        raise InputError("name the volume claim that keeps the study with --claim; --claim-size makes it.")
    if options.storage_class is not None and options.claim_size is None:
        raise InputError("--storage-class is for a new claim: say how large with --claim-size.")
    if ":" in str(storage):
        raise InputError(f"--storage-dir {storage}: Kubernetes mounts no claim at a path with a colon.")
    for option in ("namespace", "queue", "priority", "claim", "storage_class", "token_secret", "credentials_secret"):
        value = getattr(options, option)
        if value is not None and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", value):
            raise InputError(f"{flag(option)} {value!r}: Kubernetes' names are small letters, digits, '-' and '.'.")
    for option in ("memory_per_node", "claim_size"):
        value = getattr(options, option)
        if value is not None and not re.fullmatch(r"[1-9]\d*([KMGT]i?)?", value, re.ASCII):
            raise InputError(f"{flag(option)} {value!r}: write it as Kubernetes does, as in 16Gi.")


def _nodes(options: KubeRayOptions) -> tuple[int, int]:
    """The smallest and the largest number of nodes."""
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", options.nodes, re.ASCII)
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if most < max(1, least) or (found and found[2] and least == most):
        raise InputError(
            f"--nodes {options.nodes}: write a number from 1, or a range from a smaller to a larger one, as in 0-8."
        )
    if least < most and options.queue is not None:
        raise InputError(f"--nodes {options.nodes}: Kueue takes no cluster that grows, say one number with --queue.")
    return least, most


def _labels(options: KubeRayOptions) -> list[tuple[str, str | None]]:
    """The labels by which Kueue knows the job."""
    if options.priority is not None and options.queue is None:
        raise InputError("--priority is for a queue of Kueue: name it with --queue.")
    labels = {"kueue.x-k8s.io/queue-name": options.queue, "kueue.x-k8s.io/priority-class": options.priority}
    for label, value in labels.items():
        if value is not None and len(value) > LABEL_LENGTH:
            raise InputError(f"{label}: {value!r} has more than {LABEL_LENGTH} characters.")
    return [(label, _quoted(value)) for label, value in labels.items() if value is not None]


def _space_file(submission: Submission[KubeRayOptions]) -> dict[str, str]:
    """The name and the text of the file that defines the search space, if there is one."""
    file = submission.space_file
    if file is None:
        return {}
    if file.stat().st_size > LARGEST_FILE:
        raise InputError(
            f"{file} is too large for Kubernetes: put it into the image, and name it as it is called there."
        )
    return {file.name: file.read_text()}


def _node_selector(options: KubeRayOptions) -> list[tuple[str, str]]:
    """The labels that the workers' nodes must have."""
    pairs = []
    for label in options.node_selector:
        key, equals, value = label.partition("=")
        if not equals or not re.fullmatch(r"[\w./-]+", key, re.ASCII) or not re.fullmatch(r"[\w.-]*", value, re.ASCII):
            raise InputError(f"--node-selector {label!r}: write a label of the nodes as KEY=VALUE.")
        pairs.append((key, value))
    return pairs


def _object_name(name: str) -> str:
    """The study's name in small letters, digits and "-", as Kubernetes wants it. No two studies share one."""
    allowed = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if allowed == name and name[0].isalpha() and len(name) <= NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"study-{allowed}"[: NAME_LENGTH - 9].rstrip("-") + f"-{digest}"


def _quoted(value: str | None) -> str | None:
    """A YAML string in double quotes, which nothing in it can end."""
    if value is None:
        return None
    return yaml.safe_dump(value, default_style='"', width=math.inf).strip()


def _run(command: list[str], manifest: str | None = None) -> str:
    """Run `kubectl`; returns what it prints. Raises `InputError` with its own words where it fails."""
    try:
        done = subprocess.run(
            command, input=manifest, capture_output=True, text=True, timeout=KUBECTL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"kubectl did not answer within {KUBECTL_SECONDS} s: check that the cluster is up.") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it does not say why"]
        raise InputError(f"kubectl refuses: {lines[-1]}")
    return done.stdout
