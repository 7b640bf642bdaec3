"""The Ray cluster of a study: one of its own on this machine, on loopback, or one that is there already."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from study.capacity import Capacity, alive_nodes, check_fits
from study.plan import StudyPlan
from trainables.errors import InputError


@contextmanager
def cluster(plan: StudyPlan) -> Iterator[Capacity]:
    """Connect to Ray, yield how many trials it fits, and disconnect.

    Raises `InputError` where there is no cluster at the address, or where none of its nodes fits a trial.
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
        check_fits(plan, alive_nodes())
        yield Capacity(plan)
    finally:
        ray.shutdown()
