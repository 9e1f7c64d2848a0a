"""Faults that were ordered."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.workspace.api_error import ApiError
from airflow_dataloader.workspace.faults import Fault, Faults, Kind


def test_a_fault_is_used_up_by_the_requests_that_meet_it() -> None:
    faults = Faults()
    faults.add([Fault(kind=Kind.STATUS, path="runs/get", times=2), Fault(kind=Kind.LATENCY)])
    assert [fault.kind for fault in faults.meet("/api/2.2/jobs/runs/submit")] == [Kind.LATENCY]
    assert [fault.kind for fault in faults.meet("/api/2.2/jobs/runs/get")] == [Kind.STATUS]
    assert [fault.times for fault in faults.coming()] == [1]
    faults.clear()
    assert faults.meet("/api/2.2/jobs/runs/get") == []


def test_two_that_are_alike_are_two() -> None:
    faults = Faults()
    faults.add([Fault(kind=Kind.STATUS), Fault(kind=Kind.STATUS)])
    assert len(faults.meet("/x")) == 1
    assert len(faults.meet("/x")) == 1
    assert faults.coming() == []


def test_a_run_ends_in_one_way() -> None:
    faults = Faults()
    faults.add([Fault(kind=Kind.SKIPPED), Fault(kind=Kind.CANCELED), Fault(kind=Kind.LATENCY)])
    assert [fault.kind for fault in faults.meet("/x")] == [Kind.SKIPPED, Kind.LATENCY]
    assert [fault.kind for fault in faults.meet("/x")] == [Kind.CANCELED]


def test_what_concerns_runs_is_met_at_submission() -> None:
    assert Fault.read({"kind": "lost_run", "path": "/elsewhere"}).path == "runs/submit"
    assert Fault.read({"kind": "latency", "seconds": "0.5"}).shape() == {
        "kind": "latency",
        "path": "",
        "times": 1,
        "seconds": 0.5,
        "status": 500,
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "boredom"},
        {"kind": "latency", "times": 0},
        {"kind": "latency", "seconds": 1e9},
        {"kind": "latency", "seconds": "nan"},
        {"kind": "status", "status": 200},
        {"kind": "status", "at": "noon"},
        {"kind": "status", "times": None},
    ],
)
def test_what_is_no_fault_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ApiError):
        Fault.read(body)
