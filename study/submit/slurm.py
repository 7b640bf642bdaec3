"""A study as a Slurm batch job, with a Ray cluster of its own on the nodes of the job."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from study.folder import check_writable
from study.submit.backend import TEMPLATES, Backend, NodeOptions
from study.submit.submission import Submission
from trainables.errors import InputError
from trainables.files import absolute
from trainables.options import Option

SECONDS_TO_STOP = 120
"""How long before its time limit a job is told to stop; Slurm may do so a minute earlier."""
SHORTEST_MINUTES = 10
"""With less time, a job would be stopped each time before its study has trained anything."""
SECONDS_TO_START = 300
"""How long the nodes may take to form a Ray cluster: first imports from a network file system are slow."""
SECONDS_TO_SUBMIT = 120
OBJECT_STORE_BYTES = 200_000_000
"""Small, because trials read their data from memory-mapped files and put nothing into Ray's object store."""

OF_THE_CLUSTER = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_CLUSTERS")
"""Variables that say which cluster is meant, not which job."""

LIMITS = ("partition", "time", "account", "qos", "constraint")
"""Options that are handed to Slurm as they are."""

OWN = {"job-name": "--name", "cpus-per-task": "--cpus-per-node", "mail-user": "--mail", "chdir": "--storage-dir"}
OWN |= {name: f"--{name}" for name in ("nodes", *LIMITS)}
"""Options of `sbatch` that have an option here."""
OF_THE_SCRIPT = frozenset(
    [
        "array",
        "dependency",
        "export",
        "no-requeue",
        "ntasks",
        "ntasks-per-node",
        "open-mode",
        "output",
        "parsable",
        "requeue",
        "signal",
        "test-only",
        "wait",
        "wrap",
    ]
)
"""Options of `sbatch` without which the script would not be what it is."""


@dataclass(frozen=True)
class SlurmOptions(NodeOptions):
    """The batch job."""

    nodes: int = 1
    """How many nodes."""
    setup: Path | None = None
    """A shell script that prepares the environment of the job, as `module load` and `source .venv/bin/activate` do.
    It is sourced on the first node, and its environment goes to the others."""
    partition: str | None = None
    """The partition."""
    time: Annotated[str | None, Option(placeholder="TIME")] = None
    """The time limit of one run of the job, as Slurm writes it: 30, 8:00:00, 2-12. The study may take longer."""
    account: str | None = None
    """The account that pays."""
    qos: str | None = None
    """The quality of service."""
    constraint: Annotated[str | None, Option(placeholder="FEATURES")] = None
    """Features that the nodes must have."""
    sbatch: Annotated[tuple[str, ...], Option(placeholder="KEY[=VALUE]...")] = ()
    """Any other options of sbatch, as in mem=64G reservation=NAME exclusive."""
    mail: Annotated[str | None, Option(placeholder="ADDRESS")] = None
    """Slurm writes to this address when the job ends or fails."""
    container: Annotated[str | None, Option(placeholder="IMAGE")] = None
    """Run in this image: a .sif file by Apptainer, anything else (.sqsh, registry#name) by Pyxis."""


class Slurm(Backend[SlurmOptions]):
    """Submits by `sbatch`."""

    options_class = SlurmOptions
    summary = "a batch job with a Ray cluster of its own"
    refused = (*Backend.refused, "address")

    def render(self, submission: Submission[SlurmOptions]) -> str:
        """The batch script."""
        options = submission.options
        if submission.config.address is not None:
            raise InputError("a Slurm job starts a Ray cluster of its own: leave out --address.")
        if options.nodes < 1:
            raise InputError(f"--nodes is {options.nodes}: it must be at least 1.")
        cpus, gpus = options.of_a_node(submission.trial)
        _check_time(options.time)
        _check_text(submission)
        setup = _existing("--setup", options.setup)
        return TEMPLATES.get_template("slurm.sh.j2").render(
            name=submission.name,
            nodes=options.nodes,
            cpus=cpus,
            gpus=gpus,
            options=_options(options),
            storage=shlex.quote(str(submission.storage)),
            mounts=[shlex.quote(str(folder)) for folder in _mounts(submission)],
            folder=shlex.quote(str(_folder(submission))),
            setup=setup and shlex.quote(str(setup)),
            launch=_lines(submission.launch_arguments()),
            seconds_to_stop=SECONDS_TO_STOP,
            seconds_to_start=SECONDS_TO_START,
            object_store_bytes=OBJECT_STORE_BYTES,
            **_commands(submission, gpus),
        )

    def submit(self, submission: Submission[SlurmOptions]) -> int:
        """Hand the script to `sbatch` and say how to follow the job."""
        script = self.render(submission)
        sbatch = shutil.which("sbatch")
        if sbatch is None:
            raise InputError(
                "there is no sbatch here: submit where the cluster's jobs are submitted, or use --dry-run."
            )
        check_writable(submission.storage)
        _folder(submission).mkdir(exist_ok=True)  # Slurm does not make the folder of a log
        job = _sbatch(sbatch, script)
        print(_how_to_follow(submission, job))
        return 0


def _options(options: SlurmOptions) -> list[str]:
    """What Slurm is told besides what the script needs, quoted: KEY=VALUE or KEY."""
    told = {name: value for name in LIMITS if (value := getattr(options, name)) is not None}
    if options.mail is not None:
        if not re.fullmatch(r"[^@\s,]+@[^@\s,]+", options.mail):
            raise InputError(f"--mail {options.mail!r} is no address: write it as in name@example.org.")
        told |= {"mail-user": options.mail, "mail-type": "END,FAIL"}
    for said in options.sbatch:
        key, equals, value = said.partition("=")
        key = key.replace("_", "-")
        if not re.fullmatch(r"[a-z][a-z0-9-]+", key) or not value.isprintable() or bool(equals) != bool(value):
            raise InputError(f"--sbatch {said!r}: write KEY=VALUE or KEY with the long names of sbatch, as in mem=64G.")
        if key in OWN or key in OF_THE_SCRIPT:
            instead = f"say {OWN[key]} instead" if key in OWN else "the script sets it itself, leave it out"
            raise InputError(f"--sbatch {said}: {instead}.")
        told[key] = value
    return [f"{key}={shlex.quote(value)}" if value else key for key, value in told.items()]


def _folder(submission: Submission[SlurmOptions]) -> Path:
    """Where the logs of jobs are, and their tokens while they run."""
    return submission.storage / "slurm"


def _mounts(submission: Submission[SlurmOptions]) -> list[Path]:
    """The folders that a container sees: the storage folder, and the folder of the space's file."""
    return [submission.storage, *([submission.space_file.parent] if submission.space_file else [])]


def _commands(submission: Submission[SlurmOptions], gpus: int) -> dict[str, str | None]:
    """How Python and Ray are called on a node: as here, or as in the image."""
    container = submission.options.container
    # By the module: the command `ray` of a user's installation is not beside Python.
    python, ray = shlex.quote(sys.executable), f"{shlex.quote(sys.executable)} -m ray.scripts.scripts"
    prefix, image = "", None
    if container is not None:
        python, ray = "python", "ray"
        image = None if container.endswith(".sif") else shlex.quote(container)
    if container is not None and image is None:
        options = ["--nv"] if gpus else []
        for folder in _mounts(submission):
            options += ["--bind", str(folder)]
        prefix = f"apptainer exec {shlex.join([*options, str(_existing('--container', Path(container)))])} "
    if submission.trial.share_a_gpu:
        ray = f"{python} -m study.nodes.sharing {ray}"
    return {"python": prefix + python, "ray": prefix + ray, "pyxis_image": image}


def _lines(arguments: list[str]) -> list[str]:
    """The arguments, quoted for the shell: a line for each option with its values."""
    lines: list[list[str]] = []
    for argument in arguments:
        if argument.startswith("--"):
            lines.append([])
        lines[-1].append(argument)
    return [shlex.join(line) for line in lines]


def _check_time(time: str | None) -> None:
    if time is None or time.upper() in ("UNLIMITED", "INFINITE"):
        return
    if not re.fullmatch(r"(\d+-)?\d+(:\d+){0,2}", time):
        raise InputError(f"--time {time}: write it as Slurm does, as in 30 (minutes), 8:00:00 or 2-12.")
    days, dash, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if not dash and len(parts) < 3:
        parts.insert(0, 0)  # minutes and seconds
    hours, minutes = (*parts, 0)[:2]
    if (int(days or 0) * 24 + hours) * 60 + minutes < SHORTEST_MINUTES:
        raise InputError(
            f"--time {time} is too short: a job is stopped {SECONDS_TO_STOP // 60} minutes before its end, "
            f"give it {SHORTEST_MINUTES} minutes or more."
        )


def _check_text(submission: Submission[SlurmOptions]) -> None:
    """Raise `InputError` for text that cannot be quoted in a line that Slurm reads."""
    options = submission.options
    for name in (*LIMITS, "container", "setup"):
        value = getattr(options, name)
        if value is not None and (not str(value) or not str(value).isprintable()):
            raise InputError(f"--{name} {str(value)!r} cannot be handed to Slurm.")
    of_mounts = ",:" if options.container else ""
    paths = [("--storage-dir", str(submission.storage), f"%{of_mounts}")]
    if submission.space_file and options.container:
        paths.append(("--space", str(submission.space_file.parent), of_mounts))
    for flag, folder, forbidden in paths:
        if not folder.isprintable() or any(sign in folder for sign in forbidden):
            raise InputError(
                f"{flag} {folder!r} cannot be handed to Slurm: "
                f"choose a path without {' '.join(forbidden)} and line breaks."
            )


def _existing(flag: str, path: Path | None) -> Path | None:
    path = path and absolute(path)
    if path is not None and not path.is_file():
        raise InputError(f"there is no file {path}: check {flag}.")
    return path


def _sbatch(sbatch: str, script: str) -> str:
    """The id of the job; raises `InputError` in Slurm's own words."""
    try:
        done = subprocess.run(
            [sbatch, "--parsable"],
            input=script,
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_SUBMIT,
            check=False,
            env=_environment(),
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"sbatch did not answer within {SECONDS_TO_SUBMIT} s: try again later.") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error:" in line] or [f"exit status {done.returncode}"]
        reason = lines[0].removeprefix("sbatch: error: ").removeprefix("Batch job submission failed: ")
        raise InputError(f"Slurm refused the job: {reason[:160]}.")
    return done.stdout.strip().partition(";")[0]


def _environment() -> dict[str, str]:
    """The environment without what describes the job that this may run in: Slurm would apply it to the new one."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in OF_THE_CLUSTER or not name.startswith(("SLURM_", "SLURMD_", "SBATCH_", "SRUN_", "PMI_", "PMIX_"))
    }


def _how_to_follow(submission: Submission[SlurmOptions], job: str) -> str:
    name = submission.name
    log = shlex.quote(str(_folder(submission) / f"{name}-{job}.log"))
    return (
        f"job {job}: study {name}, in {submission.storage}\n"
        f"  follow it:     tail --retry --follow=name {log}\n"
        f"  its state:     squeue --jobs {job}\n"
        f"  stop it:       scancel --batch --signal=USR2 {job}\n"
        f"  go on with it: the same command line again, with --name {name}"
    )
