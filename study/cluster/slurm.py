"""A study as a Slurm batch job, with a Ray cluster of its own on the nodes of the job."""

from __future__ import annotations

import shlex

from study.cluster.backend import TEMPLATES, Backend, Submission


class Slurm(Backend):
    """Submits by `sbatch`."""

    options = frozenset(
        {
            "nodes",
            "cpus_per_node",
            "gpus_per_node",
            "setup",
            "partition",
            "time",
            "account",
            "qos",
            "constraint",
            "container",
        }
    )

    def render(self, submission: Submission) -> str:
        """The batch script."""
        template = TEMPLATES.get_template("slurm.sh.j2")
        return template.render(name=submission.name, launch=shlex.join(submission.launch_arguments("auto")))

    def submit(self, submission: Submission) -> int:
        """Hand the script to `sbatch`."""
        raise NotImplementedError
