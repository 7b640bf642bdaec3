"""A PostgreSQL server of a test's own, on loopback, run by the user that Debian's package made for it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2

USER = "postgres"
START_SECONDS = 60


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, where Debian puts them or on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def reason_to_skip() -> str | None:
    """Why there can be no server here; None if there can."""
    if programs() is None:
        return "PostgreSQL is not installed"
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return f"there is no user {USER}, and the server does not run as root"
    return None if os.geteuid() == 0 else f"only root can run the server as {USER}"


class Server:
    """Its data in a scratch folder; one role with a password, as many databases as are asked for."""

    def __init__(self, password: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.password = password
        shutil.chown(self.folder, USER)
        bin_folder = programs()
        assert bin_folder is not None
        secret = self.folder / "password"
        secret.write_text(password)
        shutil.chown(secret, USER)
        self._data = self.folder / "data"
        initdb = [bin_folder / "initdb", "-D", self._data, "-U", "study", "--auth=scram-sha-256"]
        self._run(*initdb, "--pwfile", secret, "--no-sync")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = [bin_folder / "postgres", "-D", self._data, "-p", str(self.port)]
        self._command += ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"]
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                list(map(str, self._command)), stdout=log, stderr=log, user=USER, group=USER, extra_groups=[], cwd="/"
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg2.connect(self.url("postgres")).close()
                return
            except psycopg2.OperationalError:
                assert self.process.poll() is None, (self.folder / "server.log").read_text()
                assert time.monotonic() < deadline, "PostgreSQL did not start"
                time.sleep(0.2)

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

    def writers(self, database: str) -> set[int]:
        """The local ports of the processes that are connected to a database now, but for this question."""
        connection = psycopg2.connect(self.url("postgres"))
        cursor = connection.cursor()
        cursor.execute("select client_port from pg_stat_activity where datname = %s", (database,))
        ports = {port for (port,) in cursor.fetchall()}
        connection.close()
        return ports

    def stop(self) -> None:
        """Stop it at once, and remove its data."""
        self.process.terminate()  # waits for its clients
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)  # does not
            self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *command: object) -> None:
        done = subprocess.run(
            list(map(str, command)), user=USER, group=USER, extra_groups=[], cwd="/", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
