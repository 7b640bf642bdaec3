from __future__ import annotations

import pytest
import sqlalchemy

from trainables.credentials import holds_password, without_credentials

WITH_PASSWORD = [
    "postgresql://me:hidden@h/db",
    "postgresql://me:hid/den@h/db",
    "postgresql://me:hid@den@h/db",
    "postgresql://me:hid?den#@h/db",
    "postgresql://me:hid den@h/db",
    "postgresql+psycopg2://:hidden@h/db",
    "postgresql://h/db?user=me&password=hidden",
    "postgresql://h/db?user=me&pass%77ord=hidden",
    "postgresql://h/db?sslmode=require&sslpassword=hidden&application_name=x",
    "mysql://h/db?passwd=hidden",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dhidden",
    "https://me:hidden@h:5000",
    "https://h:5000/?access_token=hidden",
]


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_a_password_is_found_and_not_shown(url):
    assert holds_password(url)
    for shown in (without_credentials(url), without_credentials(f"could not connect to {url} (refused)")):
        assert not any(part in shown for part in ("hidden", "hid", "den"))
    assert without_credentials(f"at {url} now").startswith("at ")


@pytest.mark.parametrize("url", WITH_PASSWORD[:7])
def test_these_are_passwords_to_sqlalchemy(url):
    made = sqlalchemy.make_url(url)
    assert made.password or "password" in made.query


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@h/db",
        "postgresql://h:5432/db?sslmode=require",
        "http://127.0.0.1:5000",
        "http://h:5000 is away: write to admin@example.org",
        "sqlite:////tmp/a@b/mlflow.db",
        "sqlite:///relative.db?timeout=60",
    ],
)
def test_what_is_no_password_is_accepted(url):
    assert not holds_password(url)
    assert without_credentials(url) == url.replace("me@", "")


def test_passwords_in_messages_are_not_shown():
    message = "connection to \"host=h user=me password='hid den' dbname=x\" failed: PWD = hidden;"
    assert "hid" not in without_credentials(message)
    assert "host=h" in without_credentials(message)
