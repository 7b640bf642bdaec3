"""The Ray cluster of a study: one of its own on this machine, on loopback, or one that is there already."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from study.plan import StudyPlan
from trainables.errors import InputError


@contextmanager
def cluster(plan: StudyPlan) -> Iterator[int]:
    """Connect to Ray, yield how many trials run at once, and disconnect.

    Raises `InputError` where there is no cluster at the address, or where it can never fit a trial.
    """
    try:
        ray.init(
            address=plan.config.address or "local",
            include_dashboard=False if plan.config.address is None else None,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except (ConnectionError, ValueError) as error:
        raise InputError(f"there is no Ray cluster at {plan.config.address}: check --address.") from error
    try:
        yield _concurrent_trials(plan)
    finally:
        ray.shutdown()


def _concurrent_trials(plan: StudyPlan) -> int:
    resources = ray.cluster_resources()
    wanted = {"CPU": plan.cpus_per_trial, "GPU": plan.gpus_per_trial}
    fits = [int(resources.get(kind, 0) / amount) for kind, amount in wanted.items() if amount > 0]
    if min(fits) < 1:
        raise InputError(
            f"a trial asks for {wanted['CPU']:g} CPUs and {wanted['GPU']:g} GPUs, the cluster has "
            f"{resources.get('CPU', 0):g} and {resources.get('GPU', 0):g}: "
            "lower --cpus-per-trial and --gpus-per-trial."
        )
    if plan.scheduler == "pbt":
        return plan.num_trials  # the whole population: Ray lets its trials take turns
    return min(min(fits), plan.config.max_concurrent or min(fits), plan.num_trials)
