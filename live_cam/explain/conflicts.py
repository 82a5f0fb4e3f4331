"""Settings of the network that are valid one by one but contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.errors import UsageError
from live_cam.settings import OPENVINO_ONLY

if TYPE_CHECKING:
    from live_cam.settings import NetworkSettings


def check_engine(chosen: NetworkSettings) -> None:
    """Check that the engine supports the precision and the device.

    Raises:
        UsageError: The engine does not support one of them.
    """
    for option, value in (("precision", chosen.precision), ("device", chosen.device)):
        if value in OPENVINO_ONLY and chosen.engine not in ("auto", "openvino"):
            raise UsageError(
                f"`{option}={value}` is supported by OpenVINO alone, not by the engine "
                f"{chosen.engine}; use `engine=openvino`, or omit `{option}`."
            )
