"""Downloads through torchvision, which knows addresses and checksums: whole or not at all.

torchvision is imported where it is used: that takes seconds, which a trial, opening only the cache, can do
without.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NETWORK_TIMEOUT = 10.0
"""Seconds of silence after which a server counts as unreachable. torchvision sets no limit of its own, so that
behind a firewall that drops packets a download would hang for minutes."""


class DownloadError(Exception):
    """A download failed; the message is the reason, one line."""


def download(dataset: str, subfolder: str, names: Sequence[str], folder: Path, **options: str) -> None:
    """Put the files and folders `names` of torchvision's data set `dataset` into `folder`.

    They are what torchvision leaves in `subfolder` of the folder it is given; `options` are arguments of its
    class. An interrupted download or unpacking leaves none of them. Raises `DownloadError`.
    """
    from torchvision import datasets

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="partial-") as partial:
        try:
            with network_timeout():
                getattr(datasets, dataset)(partial, download=True, **options)
        except Exception as error:  # torchvision's own, and what it lets through of urllib, gzip, zipfile
            # torchvision reports every mirror on lines of its own; the last one stands for all.
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
