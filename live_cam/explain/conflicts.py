"""Settings of the network that each are valid and do not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.errors import UsageError
from live_cam.settings import OPENVINO_ONLY

if TYPE_CHECKING:
    from live_cam.settings import NetworkSettings


def check_engine(chosen: NetworkSettings) -> None:
    """Check what is to compute.

    Raises:
        UsageError: The engine has no such precision, or is not on such a device.
    """
    for option, value in (("precision", chosen.precision), ("device", chosen.device)):
        if value in OPENVINO_ONLY and chosen.engine in ("hook", "torch"):
            raise UsageError(
                f"--{option} {value} is computed by OpenVINO alone, not by the engine "
                f"{chosen.engine}; use --engine openvino, or leave --{option} out."
            )
