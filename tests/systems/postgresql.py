"""A PostgreSQL server, run by the user that Debian's package made for it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg2

from tests.systems.program import Server, free_port

USER = "postgres"
AS_USER = {"user": USER, "group": USER, "extra_groups": [], "cwd": "/"}


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, where Debian puts them or on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def why_not() -> str | None:
    """Why there can be no server here; None if there can."""
    if programs() is None:
        return "PostgreSQL is not installed"
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return f"there is no user {USER}, and the server does not run as root"
    return None if os.geteuid() == 0 else f"only root can run the server as {USER}"


class PostgresServer(Server):
    """Its data in a scratch folder; one role with a password, as many databases as are asked for."""

    def __init__(self, password: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.password = password
        self.port = free_port()
        shutil.chown(self.folder, USER)
        bin_folder = programs()
        assert bin_folder is not None
        secret = self.folder / "password"
        secret.write_text(password)
        shutil.chown(secret, USER)
        data = self.folder / "data"
        initdb = [bin_folder / "initdb", "-D", data, "-U", "study", "--auth=scram-sha-256", "--pwfile", secret]
        made = subprocess.run([*initdb, "--no-sync"], capture_output=True, text=True, **AS_USER)
        assert made.returncode == 0, made.stderr
        command = [bin_folder / "postgres", "-D", data, "-p", self.port, "-c", "listen_addresses=127.0.0.1"]
        command += ["-c", f"unix_socket_directories={self.folder}"]
        super().__init__(command, self.folder / "server.log", **AS_USER)

    def answers(self) -> bool:
        try:
            psycopg2.connect(self.url("postgres")).close()
        except psycopg2.OperationalError:
            return False
        return True

    def url(self, database: str) -> str:
        """With the password in it, as it is given to the command line."""
        return f"postgresql://study:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make a database; returns its URL."""
        connection = psycopg2.connect(self.url("postgres"))
        connection.autocommit = True
        connection.cursor().execute(f"create database {database}")
        connection.close()
        return self.url(database)

    def stop(self) -> None:
        """Stop it without waiting for its clients, and remove its data."""
        if self.is_running():
            self.process.send_signal(signal.SIGINT)
            self.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
