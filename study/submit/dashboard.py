"""The jobs of a Ray cluster, asked for by HTTP at its dashboard. Ray itself is not needed for that."""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from trainables.credentials import without_credentials
from trainables.errors import InputError

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
"""How long the dashboard may take: it asks the job's process before it says that a job is being stopped."""


@dataclass(frozen=True)
class Job:
    """A job as the dashboard describes it."""

    id: str
    status: str
    """PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED."""
    since_ms: int
    """When it started or ended, in milliseconds since the epoch."""
    message: str
    exit_code: int | None
    """None where the command was not started, or was lost with its node."""

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Job:
        """From the JSON of the Jobs API."""
        since = answer.get("end_time") or answer.get("start_time") or 0
        message, exit_code = answer.get("message") or "", answer.get("driver_exit_code")
        return cls(answer["submission_id"], answer["status"], since, message, exit_code)

    @property
    def has_ended(self) -> bool:
        """Whether its status is final."""
        return self.status in ("STOPPED", "SUCCEEDED", "FAILED")


class Dashboard:
    """The Jobs API at `address`. Its methods raise `OSError` where the cluster does not answer or refuses."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def jobs_of(self, study: str) -> dict[int, Job]:
        """The jobs of a study by their number: they are called STUDY-1, STUDY-2 and so on."""
        found = {answer["submission_id"] or "": answer for answer in self._ask("GET", "/api/jobs/")}
        matches = {job_id: re.fullmatch(rf"{re.escape(study)}-(\d+)", job_id) for job_id in found}
        return {int(match[1]): Job.of(found[job_id]) for job_id, match in matches.items() if match}

    def job(self, job_id: str) -> Job:
        """The job of this id."""
        return Job.of(self._ask("GET", f"/api/jobs/{job_id}"))

    def stop(self, job_id: str) -> bool:
        """Ask a job to end; returns whether it was running."""
        return bool(self._ask("POST", f"/api/jobs/{job_id}/stop")["stopped"])

    def check_guarded(self) -> None:
        """Raise `InputError` unless something answers at the address, is Ray's dashboard, and asks for a token."""
        try:
            with urllib.request.urlopen(f"{self.address}/api/version", timeout=CONNECT_SECONDS):
                pass
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 407):
                proxy = self._proxy()
                if proxy is None or b"authentication token" in error.read():
                    return
                raise InputError(
                    f"the proxy {without_credentials(proxy)} refuses the way to {self.address}: add its host to the "
                    "environment variable no_proxy."
                ) from error
            raise InputError(f"{self.address} is not the dashboard of a Ray cluster: check --address.") from error
        except (HTTPException, ValueError) as error:
            raise InputError(f"{self.address} is not the dashboard of a Ray cluster: check --address.") from error
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise InputError(f"nothing answers at {self.address} ({reason}): check --address.") from error
        raise InputError(
            f"whoever reaches {self.address} can run code there: start the cluster with RAY_AUTH_MODE=token "
            '(docs/cluster.md, "Ray jobs").'
        )

    def _proxy(self) -> str | None:
        """The proxy of the environment that stands before the address."""
        parts = urllib.parse.urlsplit(self.address)
        if urllib.request.proxy_bypass(parts.hostname or ""):
            return None
        return urllib.request.getproxies().get(parts.scheme)

    def _ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"{self.address}{path}", method=method)
        request.add_unredirected_header("Authorization", f"Bearer {token()}")  # so that no other server gets it
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)


def token() -> str:
    """The token of this machine, where Ray looks for it; empty if there is none."""
    if said := os.environ.get("RAY_AUTH_TOKEN"):
        return said.strip()
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return Path(path).read_text().strip() if path else (Path.home() / ".ray" / "auth_token").read_text().strip()
    except OSError:
        return ""
