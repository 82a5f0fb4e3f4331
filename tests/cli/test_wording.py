from __future__ import annotations

import pytest

from live_cam.cli.wording import as_options


@pytest.mark.parametrize(
    ("core", "written"),
    [
        ("choose another one with `layer`.", "choose another one with --layer."),
        ("use `device=cpu`, or `engine=torch`.", "use --device cpu, or --engine torch."),
        ("`target_classes` names no class", "--class names no class"),
        ("`full_screen` needs a window", "--full-screen needs a window"),
        ("leave it out with `audio=False`.", "leave it out with --no-audio."),
        ("`input` is not a video", "INPUT is not a video"),
        ("another folder as `output`", "another folder as --output"),
        ("run `live-cam doctor`", "run `live-cam doctor`"),
        ("`pip install av`", "`pip install av`"),
    ],
)
def test_arguments_are_written_as_options(core: str, written: str) -> None:
    assert as_options(core) == written
