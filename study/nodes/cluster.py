"""The Ray cluster of a study: its own on this machine, on loopback, or one that runs already."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import ray
from ray._private import parameter
from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.exceptions import RayError

from study.sentences import first_line
from trainables.errors import InputError

CONNECT_SECONDS = 10.0


def check_address(address: str | None) -> None:
    """Raise `InputError` where nothing listens at a cluster's address, no cluster does, or it wants another token.

    Ray would try for a quarter of an hour, and with a wrong token for twenty seconds.
    """
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"there is no Ray cluster at {address} ({error}): check --address.") from error
    try:
        ensure_token_if_auth_enabled(create_token_if_missing=False)  # without one, the client would end the process
        GcsClient(address)
    except RayError as error:
        raise _not_let_in(address, error) from error


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Connect this process to the Ray cluster at `address`, or to a new one on this machine, and disconnect at the end.

    Raises `InputError` where there is no cluster at the address.
    """
    if address is None:
        _check_home()
    try:
        with _any_port_for_its_agent():
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
        raise _not_let_in(address, error) from error
    try:
        yield
    finally:
        ray.shutdown()


def _not_let_in(address: str | None, error: Exception) -> InputError:
    return InputError(
        f"no Ray cluster at {address} lets this process in ({first_line(error)}): check --address, "
        "and that the token is the cluster's (RAY_AUTH_TOKEN_PATH)."
    )


@contextmanager
def _any_port_for_its_agent() -> Iterator[None]:
    """Let a part of Ray that nobody here asks listen on any port.

    Else it takes 52365 and, where another study on this machine has that, tries for four seconds, in which Ray waits.
    `ray start` has an option for it, `ray.init` has none.
    """
    internal: Any = parameter
    ordinary = internal.RayParams
    internal.RayParams = partial(ordinary, dashboard_agent_listen_port=0)
    try:
        yield
    finally:
        internal.RayParams = ordinary


def _check_home() -> None:
    """Raise `InputError` where Ray cannot keep the token of its clusters: it would try to start for half a minute."""
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return
    folder = Path.home() / ".ray"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "auth_token").exists():
            NamedTemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(
            f"Ray does not start: it keeps in HOME who may connect, and {folder} cannot be written to "
            f"({error.strerror}): set HOME to a folder that you can write to."
        ) from error
