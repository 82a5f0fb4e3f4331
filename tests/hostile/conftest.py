"""Makes Hypothesis try the same examples in each run, without a database."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.support.mutation import EFFORT

settings.register_profile(
    "live_cam",
    max_examples=round(100 * EFFORT),
    derandomize=EFFORT == 1,
    database=None,
    deadline=None,
    # Each example overwrites the file of the last one.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("live_cam")
