"""A study as a Slurm batch job, with a Ray cluster of its own on the nodes of the job."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from study.plan import StudyPlan
from study.submit.backend import TEMPLATES, Backend, ClusterOptions, Submission, check_node, cpus_for
from trainables.errors import InputError

SECONDS_TO_STOP = 120
"""How long before the end of its time a job is told to stop; Slurm may do so a minute earlier."""
SHORTEST_MINUTES = 10
"""A job with less time would be stopped before its study gets anywhere, again and again."""
SECONDS_TO_START = 300
"""How long the nodes have to form a Ray cluster: imports from a cold network file system take their time."""
SECONDS_TO_SUBMIT = 120
OBJECT_STORE_BYTES = 200_000_000
"""Next to nothing: trials read their data from memory-mapped files."""

LIMITS = ("partition", "time", "account", "qos", "constraint")
"""Options that are handed to Slurm as they are."""


class Slurm(Backend):
    """Submits by `sbatch`."""

    options = frozenset({"nodes", "cpus_per_node", "gpus_per_node", "setup", "container", *LIMITS})

    def render(self, submission: Submission) -> str:
        """The batch script."""
        plan, options = submission.plan, submission.options
        if submission.config.address is not None:
            raise InputError("a Slurm job starts a Ray cluster of its own: leave out --address.")
        gpus = options.gpus_per_node or 0
        cpus = options.cpus_per_node or cpus_for(plan, gpus)
        check_node(plan, cpus, gpus)
        _check_time(options.time)
        _check_text(options, plan)
        setup = _existing("--setup", options.setup)
        return TEMPLATES.get_template("slurm.sh.j2").render(
            name=plan.name,
            nodes=options.nodes or 1,
            cpus=cpus,
            gpus=gpus,
            limits={name: shlex.quote(value) for name in LIMITS if (value := getattr(options, name)) is not None},
            storage=shlex.quote(str(plan.storage)),
            folder=shlex.quote(str(_folder(plan))),
            setup=setup and shlex.quote(str(setup)),
            launch=_lines(submission.launch_arguments()),
            seconds_to_stop=SECONDS_TO_STOP,
            seconds_to_start=SECONDS_TO_START,
            object_store_bytes=OBJECT_STORE_BYTES,
            **_commands(plan, options.container, gpus),
        )

    def submit(self, submission: Submission) -> int:
        """Hand the script to `sbatch` and say how to follow the job."""
        script = self.render(submission)
        sbatch = shutil.which("sbatch")
        if sbatch is None:
            raise InputError(
                "there is no sbatch here: submit where the cluster's jobs are submitted, or use --dry-run."
            )
        # Imported late: MLflow takes seconds that bad input should not cost.
        from study.opening import check_storage

        check_storage(submission.plan)
        _folder(submission.plan).mkdir(exist_ok=True)
        job = _sbatch(sbatch, script)
        print(_how_to_follow(submission.plan, job))
        return 0


def _folder(plan: StudyPlan) -> Path:
    """Where the logs of jobs are, and their tokens while they run."""
    return plan.storage / "slurm"


def _commands(plan: StudyPlan, container: str | None, gpus: int) -> dict[str, str | None]:
    """How Python and Ray are called on a node: those that submit the job, or those of the image."""
    if container is None:
        here = Path(sys.executable).parent
        return {"python": shlex.quote(sys.executable), "ray": shlex.quote(str(here / "ray")), "pyxis_image": None}
    if not container.endswith(".sif"):
        return {"python": "python", "ray": "ray", "pyxis_image": shlex.quote(container)}
    image = _existing("--container", Path(container))
    storage = shlex.quote(str(plan.storage))
    inside = f"apptainer exec {'--nv ' if gpus else ''}--bind {storage} {shlex.quote(str(image))}"
    return {"python": f"{inside} python", "ray": f"{inside} ray", "pyxis_image": None}


def _lines(arguments: list[str]) -> list[str]:
    """Quoted for the shell, an option with its values a line."""
    lines: list[list[str]] = []
    for argument in arguments:
        if argument.startswith("--"):
            lines.append([])
        lines[-1].append(argument)
    return [shlex.join(line) for line in lines]


def _check_time(time: str | None) -> None:
    if time is None:
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


def _check_text(options: ClusterOptions, plan: StudyPlan) -> None:
    """Raise `InputError` for what no quoting can carry into a line that Slurm reads."""
    for name in (*LIMITS, "container", "setup"):
        value = getattr(options, name)
        if value is not None and (not str(value) or not str(value).isprintable()):
            raise InputError(f"--{name} {str(value)!r} cannot be handed to Slurm.")
    forbidden = "%,:" if options.container else "%"
    if not str(plan.storage).isprintable() or any(sign in str(plan.storage) for sign in forbidden):
        raise InputError(
            f"--storage-dir {str(plan.storage)!r} cannot be handed to Slurm: "
            f"choose a path without {' '.join(forbidden)} and line breaks."
        )


def _existing(flag: str, path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise InputError(f"there is no file {path}: check {flag}.")
    return path and path.resolve()


def _sbatch(sbatch: str, script: str) -> str:
    """The id of the job; raises `InputError` in Slurm's own words."""
    try:
        done = subprocess.run(
            [sbatch, "--parsable"], input=script, capture_output=True, text=True, timeout=SECONDS_TO_SUBMIT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"sbatch did not answer within {SECONDS_TO_SUBMIT} s: try again later.") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error:" in line] or [f"exit status {done.returncode}"]
        reason = lines[0].removeprefix("sbatch: error: ").removeprefix("Batch job submission failed: ")
        raise InputError(f"Slurm refused the job: {reason[:160]}.")
    return done.stdout.strip().partition(";")[0]


def _how_to_follow(plan: StudyPlan, job: str) -> str:
    log = shlex.quote(str(_folder(plan) / f"{plan.name}-{job}.log"))
    return (
        f"job {job}: study {plan.name}, in {plan.folder}\n"
        f"  follow it:     tail --retry --follow=name {log}\n"
        f"  its state:     squeue --jobs {job}\n"
        f"  stop it:       scancel --batch --signal=USR2 {job}\n"
        f"  go on with it: the same command line again, with --name {plan.name}"
    )
