"""Passwords in URLs and in messages about them: found in every form that databases and servers take."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

_SECRET = r"pass|pwd|secret|token|credential|api_?key|odbc_connect"
_USER = re.compile(r"://(?:[^:/?#@\s]*:(?:\S*|(?!\d+[/?\s])[^\n'\"]*)|[^:/?#@\s]*)@")
"""A user, and a password in which "/", "@", "?" and blanks may be unquoted; up to the last "@"."""
_SETTING = re.compile(r"([\w%.+-]+)(\s?=\s?)('[^']*'|\"[^\"]*\"|\{[^}]*\}|[^\s&;,'\"]+)")
"""A setting, as in the query of a URL, in a connection string, or in a message."""


def without_credentials(text: str) -> str:
    """`text` as it may be printed: no user and no password in any URL or connection string in it."""
    return _SETTING.sub(_masked, _USER.sub("://", text))


def holds_password(url: str) -> bool:
    """Whether others could read a password in `url`."""
    user = _USER.search(url)
    return (user is not None and ":" in user[0][3:]) or any(map(_is_secret, _SETTING.finditer(url)))


def _masked(setting: re.Match[str]) -> str:
    return f"{setting[1]}{setting[2]}***" if _is_secret(setting) else setting[0]


def _is_secret(setting: re.Match[str]) -> bool:
    return re.search(_SECRET, unquote_plus(setting[1]), re.IGNORECASE) is not None
