"""python -m study.submit: a study as a batch job, by Slurm, Ray's Jobs API or KubeRay."""
