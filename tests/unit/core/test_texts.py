"""Texts that the control database can keep."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.texts import can_be_kept, kept_json, kept_text, refuse_unkept, shown_text
from airflow_dataloader.exceptions import ValueRefused

ANY = st.text(st.characters(codec=None))


@given(ANY)
def test_what_cannot_be_kept_is_visible_and_nothing_else_is_touched(said: str) -> None:
    held = kept_text(said)
    assert can_be_kept(held)
    assert held == "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in said)
    assert can_be_kept(said) == (held == said)


@given(
    st.recursive(ANY | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(ANY, inner))
)
def test_json_is_kept_wherever_its_texts_are(body: object) -> None:
    read = json.loads(kept_json(body))
    assert "\\u0000" not in json.dumps(read).replace("\\\\", "")
    assert json.dumps(read, ensure_ascii=False).encode()


def test_an_escape_that_somebody_wrote_out_stays() -> None:
    assert json.loads(kept_json({"a\0": ("\\u0000", "\ud800b")})) == {"a\ufffd": ["\\u0000", "\ufffdb"]}


@pytest.mark.parametrize(("bad", "escaped"), [("\0", "\\x00"), ("\ud800", "\\ud800")])
def test_what_a_load_would_go_on_from_is_refused_by_name(bad: str, escaped: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        refuse_unkept(f"a{bad}{'b' * 200}", "The newest 'code' of items")
    assert refused.value.message.startswith(f"The newest 'code' of items, 'a{escaped}bbb")
    assert "b" * 100 not in refused.value.message
    assert refused.value.field == "incremental_column"


@pytest.mark.parametrize("value", [None, "", "2026-01-01 00:00:00+00"])
def test_what_can_be_kept_is_not_refused(value: str | None) -> None:
    refuse_unkept(value, "The watermark")


def test_a_terminal_is_given_no_orders() -> None:
    assert shown_text("a\x1b]0;x\x07\r\x7f\x9bm") == "a\\x1b]0;x\\x07\\x0d\\x7f\\x9bm"
    assert shown_text("π → a\n\tb [red]") == "π → a\n\tb [red]"


@given(ANY)
def test_nothing_else_is_touched_for_a_terminal(said: str) -> None:
    shown = shown_text(said)
    assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    assert shown_text(shown) == shown
    assert (shown == said) == all(unicodedata.category(c) != "Cc" or c in "\n\t" for c in said)
