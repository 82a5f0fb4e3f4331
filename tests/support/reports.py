"""Reading back the JSON reports that `live_cam.runtime.report` writes."""

from __future__ import annotations

import json

from live_cam.runtime.report import Column, Report, Section


def report_from_json(text: str) -> Report:
    """Parse the output of `Report.to_json`.

    Raises:
        ValueError: The text is not JSON.
        KeyError: The JSON is not a report.
    """
    content = json.loads(text)
    return Report(
        content["title"],
        content["facts"],
        tuple(
            Section(
                section["title"],
                tuple(Column(**column) for column in section["columns"]),
                tuple(section["rows"]),
                tuple(section["notes"]),
            )
            for section in content["sections"]
        ),
    )
