"""Secrets leave a text in every spelling."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_dataloader.core.scrub import MASK, scrub

SECRET = "p@ss w/ord#1%"


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_every_spelling_of_a_secret_is_masked(spelling: str) -> None:
    assert scrub(f"login with {spelling} failed", [SECRET]) == f"login with {MASK} failed"


def test_a_short_secret_is_masked_only_where_it_stands_alone() -> None:
    assert scrub('password "a" of a table', ["a"]) == f'password "{MASK}" of {MASK} table'


def test_an_empty_secret_changes_nothing() -> None:
    assert scrub("abc", [""]) == "abc"


def test_a_secret_inside_another_leaves_nothing_of_the_longer_one() -> None:
    assert scrub("secretsecret2", ["secret", "secretsecret2"]) == MASK


@given(st.text(min_size=4), st.text(), st.text())
def test_no_long_secret_survives(secret: str, before: str, after: str) -> None:
    assume(secret not in MASK)
    assert secret not in scrub(before + "|" + secret + "|" + after, [secret]).replace(MASK, "\x00")


@pytest.mark.parametrize("secret", ['pa"ss\\word1', "pässwörd9", 'it\'s "so"\n', "p\udce9ss", "\ud800 pass"])
@pytest.mark.parametrize(
    "spell",
    [
        repr,
        ascii,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: repr(text + "'"),
        lambda text: repr(text + "'\""),
        lambda text: text.encode("ascii", "backslashreplace").decode(),
        lambda text: text.encode(errors="backslashreplace").decode(),
        lambda text: text.encode(errors="surrogatepass").decode(errors="surrogatepass"),
    ],
)
def test_a_secret_is_masked_however_it_is_escaped(secret: str, spell: Callable[[str], str]) -> None:
    assert f"login with {MASK} failed" in scrub(spell(f"login with {secret} failed"), [secret])


def test_a_secret_that_is_not_utf_8_is_masked_where_its_bytes_were_read() -> None:
    secret = b"p\xe9 ss"
    text = secret.decode(errors="surrogateescape")
    assert scrub(secret.decode(errors="replace"), [text]) == MASK
    assert scrub(base64.b64encode(secret).decode(), [text]) == MASK
    assert scrub("p%E9+ss p%E9%20ss", [text]) == f"{MASK} {MASK}"
