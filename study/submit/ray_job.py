"""A study as a job of a Ray cluster that is there already, by the Jobs API of its dashboard."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shlex
import signal
import sys
import time
import urllib.error
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from study.config import StudyConfig
from study.sentences import first_line
from study.submit.backend import JOB_STOP_SECONDS, Backend
from study.submit.dashboard import Dashboard, Job
from study.submit.submission import Submission
from trainables.errors import InputError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

POLL_SECONDS = 1


@dataclass(frozen=True)
class RayJobOptions:
    """The job."""

    action: Literal["submit", "status", "follow", "stop"] = "submit"
    """Submit the study; or show the state of study --name, follow it, stop it."""
    working_dir: Path | None = None
    """Upload this checkout of the project; by default the project has to be installed on the cluster."""
    no_wait: bool = False
    """Do not follow the job to its end."""


class RayJob(Backend[RayJobOptions]):
    """Submits by HTTP. The jobs of study NAME are NAME-1, NAME-2 and so on, because Ray takes each id once."""

    options_class = RayJobOptions
    summary = "a job of the Ray cluster whose dashboard is at --address"

    def run(self, study: StudyConfig, options: RayJobOptions, said: Collection[str]) -> int:
        """Do what the command line says, which names the fields `said` of `study`; returns the exit status."""
        return super().run(study, options, said) if options.action == "submit" else _manage(options.action, study)

    def render(self, submission: Submission[RayJobOptions]) -> str:
        """The job as JSON."""
        return json.dumps(_job(submission), indent=2) + "\n"

    def submit(self, submission: Submission[RayJobOptions]) -> int:
        """Submit the job and follow it to its end; returns the exit status of the study."""
        job, name, study = _job(submission), submission.name, submission.config
        with _session(study) as dashboard:
            earlier = dashboard.jobs_of(name)
            if earlier and not earlier[max(earlier)].has_ended:
                raise InputError(
                    f"study {name!r} is being run by job {name}-{max(earlier)}: "
                    "follow it with --action follow, or stop it with --action stop."
                )
            job_id = f"{name}-{max(earlier, default=0) + 1}"
            _client(dashboard).submit_job(submission_id=job_id, **job)
            print(f"study {name} is job {job_id}")
            if submission.options.no_wait:
                _print_commands(study, name)
                return 0
            return _follow(dashboard, job_id, study, name)


def _manage(action: str, study: StudyConfig) -> int:
    """Show, follow or stop the newest job of a study; returns the exit status."""
    if study.name is None:
        raise InputError(f"--action {action}: name the study with --name.")
    with _session(study) as dashboard:
        jobs = dashboard.jobs_of(study.name)
        if not jobs:
            raise InputError(f"{study.address} has no job of study {study.name!r}: check --name and --address.")
        job = jobs[max(jobs)]
        if action == "follow":
            return _follow(dashboard, job.id, study, study.name)
        if action == "stop" and dashboard.stop(job.id):
            job = _ended(dashboard, job.id)
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(job.since_ms / 1000))
    print(f"study {study.name}: job {job.id} is {job.status} since {since}")
    return 0


def _job(submission: Submission[RayJobOptions]) -> dict[str, Any]:
    """What Ray is asked to run. It holds no password, because everybody who sees the dashboard sees it."""
    uploaded, files = _uploaded(submission.options.working_dir, submission.space_file)
    command = ["python", "-m", "study.launch", *submission.launch_arguments("auto", files)]
    environment = {"RAY_JOB_STOP_WAIT_TIME_S": str(JOB_STOP_SECONDS)}
    return {
        "entrypoint": shlex.join(command),
        "runtime_env": {"env_vars": environment, **uploaded},
        "metadata": {"study": submission.name},
    }


def _uploaded(checkout: Path | None, space_file: Path | None) -> tuple[dict[str, Any], str]:
    """What Ray uploads as the folder that the job starts in, and where in it the file of the space is."""
    if checkout is not None:
        if not (checkout / "study" / "launch.py").is_file():
            raise InputError(f"--working-dir {checkout} has no study/launch.py: name a checkout of this project.")
        folder = checkout.resolve()
        if space_file is None:
            return {"working_dir": str(folder)}, ""
        if not space_file.resolve().is_relative_to(folder):
            raise InputError(
                f"{space_file} is not in --working-dir {folder}: put it there, so that it is uploaded too."
            )
        return {"working_dir": str(folder)}, str(space_file.resolve().parent.relative_to(folder))
    if space_file is not None:
        # Upload only the file of its folder. The patterns are gitignore's, and must not match ".", the folder itself.
        everything_else = ["/[!.]*", "/.?*", f"!/{space_file.name}"]
        return {"working_dir": str(space_file.parent), "excludes": everything_else}, ""
    return {}, ""


@contextmanager
def _session(study: StudyConfig) -> Iterator[Dashboard]:
    """The dashboard of the cluster; what the cluster refuses is raised as `InputError`."""
    address = study.address
    if address is None or not re.match(r"https?://[^/]", address):
        raise InputError("name the cluster's dashboard with --address, as in http://127.0.0.1:8265.")
    dashboard = Dashboard(address)
    dashboard.check_guarded()
    try:
        yield dashboard
    except InputError:
        raise
    except urllib.error.HTTPError as error:
        if error.code not in (401, 403):
            raise InputError(f"the Ray cluster at {address} refuses: {first_line(error)}") from error
        raise InputError(
            f"the Ray cluster at {address} refuses the token of this machine, if it has one: "
            "set RAY_AUTH_TOKEN_PATH to a file with the cluster's token."
        ) from error
    except Exception as error:
        raise InputError(f"the Ray cluster at {address} refuses: {first_line(error)}") from error


def _client(dashboard: Dashboard) -> JobSubmissionClient:
    """Ray's own client, for what it does better: uploading a folder, and following a log."""
    for variable in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        os.environ.pop(variable, None)  # Ray would use them instead of the address that was asked for
    from ray.job_submission import JobSubmissionClient  # here, so that `--action status` does not wait for Ray

    for name in ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return JobSubmissionClient(dashboard.address)


def _follow(dashboard: Dashboard, job_id: str, study: StudyConfig, name: str) -> int:
    """Print the job's log until it ends; returns the exit status of the study. Ctrl-C leaves the job alone."""
    try:
        asyncio.run(_print_log(_client(dashboard), job_id))
        job = _ended(dashboard, job_id)
    except KeyboardInterrupt:
        print(f"\njob {job_id} goes on.")
        _print_commands(study, name)
        return 128 + signal.SIGINT
    except Exception as error:
        print(f"error: {study.address} no longer answers ({first_line(error)}): the job may go on.", file=sys.stderr)
        _print_commands(study, name)
        return 1
    if job.status == "SUCCEEDED":
        return 0
    if job.status == "STOPPED":
        print(f"job {job_id} was stopped: submit the study again to go on.")
        return 128 + signal.SIGTERM
    if job.exit_code is None:
        print(f"error: job {job_id} failed: {(job.message or 'Ray does not say why').strip()}", file=sys.stderr)
        return 1
    return job.exit_code if job.exit_code >= 0 else 128 - job.exit_code


async def _print_log(client: JobSubmissionClient, job_id: str) -> None:
    async for lines in client.tail_job_logs(job_id):
        print(lines, end="", flush=True)


def _ended(dashboard: Dashboard, job_id: str) -> Job:
    """The job, once it has ended."""
    while not (job := dashboard.job(job_id)).has_ended:
        time.sleep(POLL_SECONDS)
    return job


def _print_commands(study: StudyConfig, name: str) -> None:
    command = ["python", "-m", "study.submit", "--backend", "ray-job", "--address", str(study.address), "--name", name]
    print("Look at it, follow it, stop it with:")
    for action in ("status", "follow", "stop"):
        print(f"  {shlex.join([*command, '--action', action])}")
