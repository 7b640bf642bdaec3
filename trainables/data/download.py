"""Downloads through torchvision, which knows addresses and checksums: whole or not at all.

torchvision is imported where it is used. The import takes seconds, and a trial, which only opens the cache, does not
need it.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NETWORK_TIMEOUT = 10.0
"""Seconds of silence after which a server counts as unreachable. torchvision sets no limit, so a download would hang
for minutes behind a firewall that drops packets."""


class DownloadError(Exception):
    """A download failed; the message is the reason, one line."""


def download(dataset: str, subfolder: str, names: Sequence[str], folder: Path, **options: str) -> None:
    """Put the files and folders `names` of torchvision's data set `dataset` into `folder`.

    torchvision leaves them in `subfolder` of the folder that it is given; `options` are arguments of its class. An
    interrupted download or unpacking leaves none of them in `folder`. Raises `DownloadError`.
    """
    from torchvision import datasets

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="partial-") as partial:
        try:
            with network_timeout():
                getattr(datasets, dataset)(partial, download=True, **options)
        except Exception as error:  # torchvision raises its own errors, and those of urllib, gzip and zipfile
            # torchvision reports each mirror on lines of its own; the last line is enough.
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise DownloadError(reason) from error
        for name in names:
            os.replace(Path(partial, subfolder, name), folder / name)


@contextmanager
def network_timeout() -> Iterator[None]:
    """Inside, a server that is silent for `NETWORK_TIMEOUT` seconds counts as unreachable."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
