"""What a tracking server, or a proxy before it, refuses, and whether trying again may help."""

from __future__ import annotations

from mlflow.exceptions import MlflowException
from requests import HTTPError, RequestException
from sqlalchemy.exc import SQLAlchemyError

LATER = (401, 403, 407, 408, 425, 429)
"""Refusals of a server, or of a proxy before it, that may end."""


def may_pass(error: Exception) -> bool:
    """Whether what failed may succeed later: the server is away, busy, or does not let anybody in."""
    status = _status(error)
    if status is not None:
        return not 400 <= status < 500 or status in LATER
    return isinstance(error, RequestException | SQLAlchemyError | ConnectionError | TimeoutError)


def _status(error: Exception) -> int | None:
    """The status of a server's answer, if there was one."""
    if isinstance(error, MlflowException):
        return error.get_http_status_code()
    if isinstance(error, HTTPError) and error.response is not None:
        return error.response.status_code
    return None
