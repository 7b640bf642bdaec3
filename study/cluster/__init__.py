"""Ways to put a study on a cluster, by the name that `--backend` takes."""

from study.cluster.backend import Backend, ClusterOptions, Submission
from study.cluster.kuberay import KubeRay
from study.cluster.ray_job import RayJob
from study.cluster.slurm import Slurm

BACKENDS: dict[str, Backend] = {"slurm": Slurm(), "ray-job": RayJob(), "kuberay": KubeRay()}

__all__ = ["BACKENDS", "Backend", "ClusterOptions", "Submission"]
