"""What may leave a filled target empty."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import EmptySource
from airflow_dataloader.loader.empty_guard import refuse_empty_source
from airflow_dataloader.loader.engines.protocol import Target
from tests.unit.loader.active_loads import Answers, active_load, target

FILLED = target(filled=True)


def test_an_empty_source_over_a_filled_target_is_refused() -> None:
    load = active_load(session=Answers([(False,)]))
    load.target = FILLED
    with pytest.raises(EmptySource) as caught:
        refuse_empty_source(load)
    assert caught.value.field == "empty_source_policy"


@pytest.mark.parametrize(
    ("held", "policy"), [(None, "fail"), (FILLED, "allow")], ids=["nothing to lose", "allowed"]
)
def test_an_empty_source_is_not_even_looked_for(held: Target | None, policy: str) -> None:
    # A session without an answer: whoever asks it fails.
    load = active_load(session=Answers(), empty_source_policy=policy)
    load.target = held
    refuse_empty_source(load)
