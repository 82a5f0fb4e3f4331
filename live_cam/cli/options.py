"""The options with their help texts; defaults and ranges come from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from live_cam import look, settings
from live_cam.cli.types import (
    Choice,
    Device,
    InputFile,
    Number,
    OutputPath,
    Size,
    WholeNumber,
    Word,
    whole_number,
)
from live_cam.settings import NetworkSettings, Settings, StillsSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

F = TypeVar("F", bound="Callable[..., Any]")


def option(
    field: str,
    *names: str,
    help: str,  # noqa: A002
    of: type[NetworkSettings] = Settings,
    **attributes: Any,
) -> Callable[[F], F]:
    """Make a click option for a field of the settings, with its default."""
    default = of.__dataclass_fields__[field].default
    shown = default not in (None, False, ())
    return click.option(*names, field, default=default, show_default=shown, help=help, **attributes)


SOURCE = (
    option(
        "source",
        "--source",
        "-s",
        metavar="SOURCE",
        type=Word(),
        help="A camera's index or device path, a video, an image, a folder of images, "
        "an http:// or rtsp:// stream, or 'demo'.",
    ),
    option(
        "reconnect_seconds",
        "--reconnect-seconds",
        type=Number(*settings.RECONNECT),
        help="How long to try to reconnect a lost camera or stream; 0 ends the run immediately.",
    ),
)

NETWORK = (
    option(
        "model",
        "--model",
        "-m",
        metavar="NAME",
        type=Word(),
        help="A classification network of torchvision, one of timm as timm/NAME (needs "
        "live-cam[timm]), or efficientnet_lite0, whose weights come with live-cam[demo].",
    ),
    option(
        "weights",
        "--weights",
        type=InputFile(),
        help="A state dict, .pth or .safetensors.  [default: the library's pretrained weights]",
    ),
    option(
        "labels",
        "--labels",
        type=InputFile(),
        help="The labels: a file with one per line, a JSON list or a JSON index map.  "
        "[default: ImageNet's]",
    ),
    option(
        "fit",
        "--fit",
        type=Choice(settings.FITS),
        help="What the network sees: the whole frame squashed into a square, the central square of "
        "the frame, or the whole frame with borders.",
    ),
    option(
        "device",
        "--device",
        metavar=f"[{'|'.join(settings.DEVICES)}]",
        type=Device(),
        help="The network's device; auto takes a GPU if there is one. gpu and npu are Intel's, "
        "used by OpenVINO.",
    ),
    option(
        "precision",
        "--precision",
        type=Choice(settings.PRECISIONS),
        help="The network's number format; int8 needs OpenVINO, is fastest on a CPU and not exact.",
    ),
    option(
        "threads",
        "--threads",
        type=whole_number(settings.THREADS),
        help="CPU threads of the network.  [default: all except one, which draws and records]",
    ),
)
"""The network and how it is run: `settings.NetworkSettings`."""

MANY_IMAGES = (
    click.option(
        "layers",
        "--layer",
        multiple=True,
        metavar="NAME",
        type=Word(),
        help="Target layer, such as features.34; repeat it to average the maps of several.  "
        "[default: the last layer with feature maps]",
    ),
    option(
        "batch",
        "--batch",
        of=StillsSettings,
        metavar="N",
        type=whole_number(settings.BATCH),
        help="Images per batch.  [default: by the device and its memory]",
    ),
)
"""The options of commands that explain many images: target layers and batch size."""


def named_layers(layers: Sequence[str]) -> dict[str, Any]:
    """Return the fields of the settings for the values of `--layer` in `MANY_IMAGES`."""
    first, *more = dict.fromkeys(layers) or (None,)
    return {"layer": first, "more_layers": tuple(filter(None, more))}


EXPLANATION = (
    option(
        "target_classes",
        "--class",
        multiple=True,
        metavar="NAME_OR_INDEX",
        type=Word(),
        help="A class to explain; repeat it for several.  [default: the top class of each image]",
    ),
    option(
        "counterfactual",
        "--counterfactual",
        is_flag=True,
        help="Also show evidence against the class: red for it, blue against it.",
    ),
    option("box", "--box", is_flag=True, help="Draw a box around the evidence."),
    option("bars", "--bars/--no-bars", help="Whether to show the most probable classes as bars."),
    option(
        "theme",
        "--theme",
        type=Choice(look.THEMES),
        help="The background of texts: dark or light glass, or none, which also hides the status "
        "bar.",
    ),
    option(
        "alpha",
        "--alpha",
        type=Number(*look.ALPHA),
        help="Opacity of the heatmap.",
    ),
    option(
        "colormap",
        "--colormap",
        type=Choice(look.COLORMAPS),
        help="Colours of the heatmap.",
    ),
    option("overwrite", "--overwrite", is_flag=True, help="Replace existing files."),
)
"""The question and how its answer is drawn: `settings.ExplanationSettings`."""

MOVING = (
    option(
        "method",
        "--method",
        type=Choice(settings.METHODS),
        help="The CAM method.",
    ),
    option(
        "layer",
        "--layer",
        metavar="NAME",
        type=Word(),
        help="Target layer, such as features.34.  [default: the last layer with feature maps]",
    ),
    option(
        "view",
        "--view",
        type=Choice(look.VIEWS),
        help="What to show: the overlay, the heatmap or the camera alone, these three side by "
        "side, all methods, several classes, or the strongest feature maps.",
    ),
)
"""The options of commands that explain video: the live loop and `video`."""

LIVE = (
    option("mirror", "--mirror", is_flag=True, help="Mirror the image."),
    option("camera_size", "--camera-size", type=Size(), help="Image size to request."),
    option(
        "camera_fps",
        "--camera-fps",
        type=Number(*settings.CAMERA_FPS),
        help="Frames per second to request.",
    ),
    option(
        "check",
        "--check",
        type=WholeNumber(min=1),
        is_flag=False,
        flag_value=settings.CHECK_EVERY,
        metavar="[N]",
        help="Check one explanation in N: hide its hottest region and compare the probability.  "
        f"[N: {settings.CHECK_EVERY}]",
    ),
    option(
        "smooth",
        "--smooth",
        type=Number(*settings.SMOOTHING),
        metavar="SECONDS",
        help="How long heatmap and label take to follow small changes; 0 for no smoothing.  "
        f"[default: {settings.DEFAULT_SMOOTHING:g}, or 0 with --every-frame]",
    ),
    option("full_screen", "--full-screen", is_flag=True, help="Fill the screen."),
    option(
        "engine",
        "--engine",
        type=Choice(settings.ENGINES),
        help="The engine; auto takes the fastest exact one, hook explains any network, openvino "
        "needs live-cam[openvino].",
    ),
    option(
        "track",
        "--track/--no-track",
        help="Whether the heatmap follows motion between two explanations.",
    ),
    option(
        "every_frame",
        "--every-frame",
        is_flag=True,
        help="Explain, show and record each frame of a file exactly once; not for cameras.",
    ),
    option("headless", "--headless", is_flag=True, help="Run without a window."),
    option(
        "record",
        "--record",
        type=OutputPath(settings.VIDEO_ENDINGS),
        help=f"Record the annotated image: {', '.join(settings.VIDEO_ENDINGS)}.",
    ),
    option(
        "predictions",
        "--predictions",
        type=OutputPath(),
        help="Log every explanation as a line of JSON (.jsonl).",
    ),
    option(
        "seconds",
        "--seconds",
        type=Number(min=0, min_open=True),
        help="Stop after this many seconds.",
    ),
    option(
        "max_frames",
        "--max-frames",
        type=WholeNumber(min=1),
        help="Stop after this many frames.",
    ),
)
"""The options of the live loop alone."""


def options(*groups: Sequence[Callable[[Any], Any]]) -> Callable[[F], F]:
    """Return a decorator that adds the options of these groups to a command, in this order."""

    def decorate(command: F) -> F:
        for add in reversed([decorator for group in groups for decorator in group]):
            command = add(command)
        return command

    return decorate
