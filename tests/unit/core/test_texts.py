"""Texts that the control database can keep."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.texts import can_be_kept, kept_json, kept_text

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
