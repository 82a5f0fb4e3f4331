"""A status in another look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from live_cam.overlay.status import Status


def with_look(status: Status, **changes: Any) -> Status:
    """The same status with changes to its look."""
    return replace(status, look=replace(status.look, **changes))
