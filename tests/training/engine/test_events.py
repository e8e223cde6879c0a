"""Events survive a writer that dies and are read while they are being written."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.engine.events import EventWriter, read_events


def test_events_come_back_in_order_with_rising_numbers(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    writer.write("started", epochs=2, device="cpu")
    writer.write("step", loss=3.5)
    events = list(read_events(path))
    assert [(event.seq, event.kind) for event in events] == [(1, "started"), (2, "step")]
    assert events[0].data == {"epochs": 2, "device": "cpu"}
    assert events[1].time >= events[0].time > 1_600_000_000


def test_reading_goes_on_after_a_number(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    for step in range(5):
        writer.write("step", step=step)
    assert [event.data["step"] for event in read_events(path, after_seq=3)] == [3, 4]


def test_no_file_is_no_events(tmp_path: Path) -> None:
    assert list(read_events(tmp_path / "none.jsonl")) == []


def test_a_half_written_line_is_not_read_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventWriter(path).write("step", step=1)
    whole = b'{"seq": 2, "time": 5.0, "event": "step", "step": 2}\n'
    with open(path, "ab") as handle:
        handle.write(whole[:20])
    assert [event.seq for event in read_events(path)] == [1]
    with open(path, "ab") as handle:
        handle.write(whole[20:])
    assert [event.seq for event in read_events(path)] == [1, 2]


def test_a_writer_started_after_a_death_within_a_line_goes_on_counting(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventWriter(path).write("step", step=1)
    with open(path, "ab") as handle:
        handle.write(b'{"seq": 2, "time": 5.0, "eve')
    writer = EventWriter(path)
    writer.write("step", step=3)
    assert [(event.seq, event.data["step"]) for event in read_events(path)] == [(1, 1), (2, 3)]


def test_nothing_follows_a_final_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    writer.write("cancelled")
    assert writer.write("failed", code="unexpected", message="too late") is None
    assert [event.kind for event in read_events(path)] == ["cancelled"]


def test_a_number_that_json_does_not_know_is_refused(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "events.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        writer.write("step", loss=float("nan"))
    writer.write("step", loss=1.0)
    assert [event.seq for event in read_events(tmp_path / "events.jsonl")] == [1]
