from __future__ import annotations

import json

from live_cam.runtime.report import Column, Report, Section
from tests.support.reports import report_from_json

SECTION = Section(
    "Engines",
    (
        Column("name", "engine"),
        Column("seconds", "median ms", "{:.1f}", 1e3),
        Column("same", "same class", "{:.0f} %", 100.0),
    ),
    (
        {"name": "hook fp32", "seconds": 0.1234, "same": 1.0, "ours": True},
        {"name": "torchcam", "seconds": 1.5, "same": None, "ours": False},
    ),
    ("A note that is long. " * 8,),
)
REPORT = Report("vgg19 on cpu", {"CPU": "fast", "Memory": "24 GiB"}, (SECTION,))


def test_json_round_trips_the_report() -> None:
    assert report_from_json(REPORT.to_json()) == REPORT
    row = json.loads(REPORT.to_json())["sections"][0]["rows"][0]
    assert row["seconds"] == 0.1234, "in seconds, unrounded"


def test_tables_are_aligned_and_notes_wrapped() -> None:
    lines = REPORT.text().splitlines()
    first = lines.index("Engines") + 2
    assert lines[first : first + 3] == [
        "engine     median ms  same class",
        "hook fp32      123.4       100 %",
        "torchcam      1500.0           –",
    ]
    assert "CPU:     fast" in lines
    assert "Memory:  24 GiB" in lines
    assert max(map(len, lines)) <= 100
    assert max(map(len, REPORT.text(40).splitlines())) <= 40


def test_markdown_has_headings_and_aligned_tables() -> None:
    lines = REPORT.markdown().splitlines()
    first = lines.index("### Engines") + 2
    assert lines[first : first + 4] == [
        "| engine | median ms | same class |",
        "| --- | ---: | ---: |",
        "| hook fp32 | 123.4 | 100 % |",
        "| torchcam | 1500.0 | – |",
    ]
    assert lines[0] == "## vgg19 on cpu"
    assert "- CPU: fast" in lines
