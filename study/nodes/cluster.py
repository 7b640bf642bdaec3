"""The Ray cluster of a study: one of its own on this machine, on loopback, or one that is there already."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from study.nodes.capacity import Capacity, alive_nodes, check_fits
from study.plan import StudyPlan
from study.sentences import first_line
from trainables.errors import InputError

CONNECT_SECONDS = 10.0


def check_address(plan: StudyPlan) -> None:
    """Raise `InputError` where nothing listens at the cluster's address: Ray would try for a quarter of an hour."""
    address = plan.config.address
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"there is no Ray cluster at {address} ({error}): check --address.") from error


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
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"no Ray cluster at {plan.config.address} lets this process in ({first_line(error)}): check --address, "
            "and that the token is the cluster's (RAY_AUTH_TOKEN_PATH)."
        ) from error
    try:
        check_fits(plan, alive_nodes())
        yield Capacity(plan)
    finally:
        ray.shutdown()
