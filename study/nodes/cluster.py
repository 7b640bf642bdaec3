"""The Ray cluster of a study: its own on this machine, on loopback, or one that runs already."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

from study.sentences import first_line
from trainables.errors import InputError

CONNECT_SECONDS = 10.0


def check_address(address: str | None) -> None:
    """Raise `InputError` where nothing listens at a cluster's address: Ray would try for a quarter of an hour."""
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"there is no Ray cluster at {address} ({error}): check --address.") from error


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Connect this process to the Ray cluster at `address`, or to a new one on this machine, and disconnect at the end.

    Raises `InputError` where there is no cluster at the address.
    """
    if address is None:
        _check_home()
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if address is None else None,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except Exception as error:  # Ray raises bare ones, as where the machine is too busy to start it in time
        if address is None:
            raise InputError(
                f"Ray does not start on this machine ({first_line(error)}): try again when the machine is less busy, "
                "or set RAY_TMPDIR to a folder with a short path that you can write to (by default /tmp/ray is used)."
            ) from error
        raise InputError(
            f"no Ray cluster at {address} lets this process in ({first_line(error)}): check --address, "
            "and that the token is the cluster's (RAY_AUTH_TOKEN_PATH)."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_home() -> None:
    """Raise `InputError` where Ray cannot keep the token of its clusters: it would try to start for half a minute."""
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return
    try:
        Path.home().joinpath(".ray").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Ray does not start: it keeps in HOME who may connect, and {error.filename} cannot be made "
            f"({error.strerror}): set HOME to a folder that you can write to."
        ) from error
