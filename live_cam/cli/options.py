"""The options, derived from `Settings`: their names, defaults, ranges and help texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from live_cam import look, settings
from live_cam.cli.types import (
    Choice,
    Device,
    InputFile,
    Number,
    OutputFile,
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
        help="How long to look for a camera or stream that was lost; 0: end at once.",
    ),
)

NETWORK = (
    option(
        "model",
        "--model",
        "-m",
        metavar="NAME",
        type=Word(),
        help="A classification network of torchvision by its name, one of timm as timm/NAME (with "
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
        help="The classes' names: one a line, or a JSON list or index map.  [default: ImageNet's]",
    ),
    option(
        "fit",
        "--fit",
        type=Choice(settings.FITS),
        help="What the network sees: the whole frame squashed into its square, the square in the "
        "frame's middle, or the whole frame with borders.",
    ),
    option(
        "device",
        "--device",
        metavar=f"[{'|'.join(settings.DEVICES)}]",
        type=Device(),
        help="Where the network runs; auto takes a GPU if there is one. gpu and npu are Intel's, "
        "by OpenVINO.",
    ),
    option(
        "precision",
        "--precision",
        type=Choice(settings.PRECISIONS),
        help="Number format of the network; int8 is OpenVINO's, fastest on a CPU and not exact.",
    ),
    option(
        "threads",
        "--threads",
        type=whole_number(settings.THREADS),
        help="CPU threads of the network.  [default: all, but for one that draws and records "
        "while the network runs]",
    ),
)
"""Which network explains, and how it computes: `settings.NetworkSettings`."""

MANY_IMAGES = (
    click.option(
        "layers",
        "--layer",
        multiple=True,
        metavar="NAME",
        type=Word(),
        help="Target layer, such as features.34; the maps of several are averaged.  "
        "[default: the network's last feature map]",
    ),
    option(
        "batch",
        "--batch",
        of=StillsSettings,
        metavar="N",
        type=whole_number(settings.BATCH),
        help="How many images to look at at once.  [default: by the device and its memory]",
    ),
)
"""How many images are explained: at which layers, and how many at once."""


def named_layers(layers: Sequence[str]) -> dict[str, Any]:
    """Return the fields of the settings that the option `--layer` of `MANY_IMAGES` means."""
    first, *more = dict.fromkeys(layers) or (None,)
    return {"layer": first, "more_layers": tuple(filter(None, more))}


EXPLANATION = (
    option(
        "target_classes",
        "--class",
        multiple=True,
        metavar="NAME_OR_INDEX",
        type=Word(),
        help="Explain this class; given several times, each of them.  "
        "[default: each image's top class]",
    ),
    option(
        "counterfactual",
        "--counterfactual",
        is_flag=True,
        help="Show what speaks against the class, too: red for it, blue against it.",
    ),
    option("box", "--box", is_flag=True, help="Draw a box around where the evidence lies."),
    option("bars", "--bars/--no-bars", help="Whether the most probable classes are shown as bars."),
    option(
        "theme",
        "--theme",
        type=Choice(look.THEMES),
        help="What is written lies on dark or light glass; none: straight on the image, and "
        "without the figures at the bottom.",
    ),
    option(
        "alpha",
        "--alpha",
        type=Number(*look.ALPHA),
        help="Weight of the heatmap's colours.",
    ),
    option(
        "colormap",
        "--colormap",
        type=Choice(look.COLORMAPS),
        help="Colours of the heatmap.",
    ),
    option("overwrite", "--overwrite", is_flag=True, help="Write over existing files."),
)
"""What is asked of it, and how that is drawn: `settings.ExplanationSettings`."""

MOVING = (
    option(
        "method",
        "--method",
        type=Choice(settings.METHODS),
        help="How the heatmap is made of activations and gradients.",
    ),
    option(
        "layer",
        "--layer",
        metavar="NAME",
        type=Word(),
        help="Target layer, such as features.34.  [default: the network's last feature map]",
    ),
    option(
        "view",
        "--view",
        type=Choice(look.VIEWS),
        help="What is shown: the overlay, the heatmap or the camera alone, these three side by "
        "side, all methods, several classes, or the strongest feature maps.",
    ),
)
"""What is asked of frames of the live loop or a video, and how it is shown."""

LIVE = (
    option("mirror", "--mirror", is_flag=True, help="Draw the image as in a mirror."),
    option("camera_size", "--camera-size", type=Size(), help="Size to ask the camera for."),
    option(
        "camera_fps",
        "--camera-fps",
        type=Number(*settings.CAMERA_FPS),
        help="Frames per second to ask the camera for.",
    ),
    option(
        "check",
        "--check",
        type=WholeNumber(min=1),
        is_flag=False,
        flag_value=settings.CHECK_EVERY,
        metavar="[N]",
        help="Would it still say so? Hide the hottest region of one explanation in N.  "
        f"[N: {settings.CHECK_EVERY}]",
    ),
    option(
        "smooth",
        "--smooth",
        type=Number(*settings.SMOOTHING),
        metavar="SECONDS",
        help="How long the heatmap and the label take to follow small changes; 0 for no "
        f"smoothing.  [default: {settings.DEFAULT_SMOOTHING:g}, or 0 with --every-frame]",
    ),
    option("full_screen", "--full-screen", is_flag=True, help="Fill the screen."),
    option(
        "engine",
        "--engine",
        type=Choice(settings.ENGINES),
        help="What computes; auto takes the fastest one that is exact, hook explains any network, "
        "openvino comes with live-cam[openvino].",
    ),
    option(
        "track",
        "--track/--no-track",
        help="Whether the heatmap follows the image's motion between two explanations.",
    ),
    option(
        "every_frame",
        "--every-frame",
        is_flag=True,
        help="Explain each frame of a file, and show and record it once; not for cameras.",
    ),
    option("headless", "--headless", is_flag=True, help="Run without a window."),
    option(
        "record",
        "--record",
        type=OutputFile(settings.VIDEO_ENDINGS),
        help=f"Record the annotated image: {', '.join(settings.VIDEO_ENDINGS)}.",
    ),
    option(
        "predictions",
        "--predictions",
        type=OutputFile(),
        help="Log every explanation as one JSON object a line (.jsonl).",
    ),
    option(
        "seconds",
        "--seconds",
        type=Number(min=0, min_open=True),
        help="Stop after this long.",
    ),
    option(
        "max_frames",
        "--max-frames",
        type=WholeNumber(min=1),
        help="Stop after this many frames.",
    ),
)
"""The live loop's own."""


def options(*groups: Sequence[Callable[[Any], Any]]) -> Callable[[F], F]:
    """Give a command the options of these groups, in this order."""

    def decorate(command: F) -> F:
        for each in reversed([each for group in groups for each in group]):
            command = each(command)
        return command

    return decorate
