"""A study on Kubernetes: a RayJob, which the KubeRay operator runs on a Ray cluster of its own."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import shutil
import subprocess
from importlib.metadata import version

import yaml

from study.submit.backend import JOB_STOP_SECONDS, TEMPLATES, Backend, ClusterOptions, Submission, check_node, cpus_for
from trainables.errors import InputError

HEAD_CPUS = 2
HEAD_MEMORY = "8Gi"
"""What the driver has, with the data sets that it prepares; trials run on the workers."""

MEMORY = "16Gi"
RESTARTS = 5
"""How many clusters may be lost before KubeRay gives up."""

GROUP = 1000
"""The claim can be written by this group, which the pods are in whatever user the image has."""

NAME_LENGTH = 47
"""KubeRay appends to a RayJob's name what makes it up to the 63 characters of a label."""

KUBECTL_SECONDS = 60


class KubeRay(Backend):
    """Submits by `kubectl`."""

    options = frozenset(
        {
            "nodes",
            "cpus_per_node",
            "gpus_per_node",
            "memory_per_node",
            "image",
            "namespace",
            "claim",
            "claim_size",
            "storage_class",
            "token_secret",
            "credentials_secret",
            "node_selector",
        }
    )

    def render(self, submission: Submission) -> str:
        """The manifest: the RayJob, its command, who may reach it, and the claim where one is asked for."""
        plan, options = submission.plan, submission.options
        _check(submission)
        gpus = options.gpus_per_node or 0
        cpus = options.cpus_per_node or cpus_for(plan, gpus)
        check_node(plan, cpus, gpus)
        command = ["python", "-m", "study.launch", *submission.launch_arguments("auto")]
        return TEMPLATES.get_template("rayjob.yaml.j2").render(
            name=_quoted(_object_name(plan.name)),
            study=plan.name,
            namespace=_quoted(options.namespace),
            script=_quoted(f"exec {shlex.join(command)}\n"),
            storage=_quoted(str(plan.storage)),
            image=_quoted(options.image),
            ray_version=_quoted(version("ray")),
            claim=_quoted(options.claim),
            claim_size=_quoted(options.claim_size),
            storage_class=_quoted(options.storage_class),
            token_secret=_quoted(options.token_secret),
            credentials_secret=_quoted(options.credentials_secret),
            node_selector=[(_quoted(key), _quoted(value)) for key, value in _node_selector(options)],
            nodes=options.nodes or 1,
            cpus=cpus,
            gpus=gpus,
            memory=_quoted(options.memory_per_node or MEMORY),
            head_cpus=HEAD_CPUS,
            head_memory=_quoted(HEAD_MEMORY),
            restarts=RESTARTS,
            stop_seconds=_quoted(str(JOB_STOP_SECONDS)),
            group=GROUP,
        )

    def submit(self, submission: Submission) -> int:
        """Hand the manifest to `kubectl` and say how to follow the RayJob."""
        manifest = self.render(submission)
        name, namespace = _object_name(submission.name), submission.options.namespace
        kubectl = ["kubectl", *(["--namespace", namespace] if namespace else [])]
        if shutil.which("kubectl") is None:
            raise InputError("there is no kubectl here: submit where it is set up for the cluster, or use --dry-run.")
        # KubeRay runs a RayJob once, and takes no notice of one that is applied again.
        if _run([*kubectl, "get", "rayjob", name, "--ignore-not-found", "--output", "name"]).strip():
            raise InputError(
                f"RayJob {name} is there already: wait for it, or end it with `kubectl delete rayjob {name}` "
                "and submit the study again, which goes on where it is."
            )
        apply = [*kubectl, "apply", "--filename", "-"]
        _run([*apply, "--dry-run=server"], manifest)  # or a refused part would leave the others behind
        print(_run(apply, manifest), end="")
        print(f"study {submission.name} is RayJob {name}. Look at it, follow it, stop it with:")
        for action in (("get", "rayjob", name), ("logs", "--follow", f"job/{name}"), ("delete", "rayjob", name)):
            print(f"  {shlex.join([*kubectl, *action])}")
        return 0


def _check(submission: Submission) -> None:
    """Raise `InputError` for what Kubernetes would not take, and for what is missing."""
    options, storage = submission.options, submission.plan.storage
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
    for option in ("namespace", "claim", "storage_class", "token_secret", "credentials_secret"):
        value = getattr(options, option)
        if value is not None and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", value):
            flag = f"--{option.replace('_', '-')}"
            raise InputError(f"{flag} {value!r}: Kubernetes' names are small letters, digits, '-' and '.'.")
    for flag, value in (("--memory-per-node", options.memory_per_node), ("--claim-size", options.claim_size)):
        if value is not None and not re.fullmatch(r"[1-9]\d*([KMGT]i?)?", value, re.ASCII):
            raise InputError(f"{flag} {value!r}: write it as Kubernetes does, as in 16Gi.")


def _node_selector(options: ClusterOptions) -> list[tuple[str, str]]:
    """The labels that the workers' nodes must have."""
    pairs = []
    for label in options.node_selector or ():
        key, equals, value = label.partition("=")
        if not equals or not re.fullmatch(r"[\w./-]+", key, re.ASCII) or not re.fullmatch(r"[\w.-]*", value, re.ASCII):
            raise InputError(f"--node-selector {label!r}: write a label of the nodes as KEY=VALUE.")
        pairs.append((key, value))
    return pairs


def _object_name(name: str) -> str:
    """The study's name as Kubernetes takes it: small letters, digits and "-". Two studies never share one."""
    allowed = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if allowed == name and name[0].isalpha() and len(name) <= NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"study-{allowed}"[: NAME_LENGTH - 9].rstrip("-") + f"-{digest}"


def _quoted(value: str | None) -> str | None:
    """A YAML string in double quotes; whatever is in it stays in it."""
    if value is None:
        return None
    return yaml.safe_dump(value, default_style='"', width=math.inf).strip()


def _run(command: list[str], manifest: str | None = None) -> str:
    """What `kubectl` prints; raises `InputError` with its own words where it fails."""
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
