"""The command line: options become `Settings`, typed errors become one sentence and an exit code.

Nothing here imports torch or OpenCV before a command needs them, so that `--help` is instant.
"""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from live_cam import __version__, settings
from live_cam.errors import LiveCamError, UsageError
from live_cam.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from live_cam.pipeline import LivePipeline

F = TypeVar("F", bound="Callable[..., Any]")

_DEMO_SECONDS = 20.0
_DEMO_FILE = Path("demo.mp4")
_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class _Size(click.ParamType[tuple[int, int]]):
    name = "WxH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        width, _, height = str(value).lower().partition("x")
        low, high = settings.CAMERA_SIDE
        if width.isdecimal() and height.isdecimal():
            size = int(width), int(height)
            if all(low <= side <= high for side in size):
                return size
        return self.fail(
            f"{value!r} is no size; give width and height in pixels, such as 1280x720.", param, ctx
        )


class _CommandOrRun(click.Group):
    """A group whose command `run` may be left out: `live-cam -m vgg16`, `live-cam`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


def _option(field: str, *names: str, help: str, **attributes: Any) -> Callable[[F], F]:  # noqa: A002
    """A click option for a field of `Settings`, with its default."""
    default = Settings.__dataclass_fields__[field].default
    shown = default not in (None, False, ())
    return click.option(*names, field, default=default, show_default=shown, help=help, **attributes)


_FILE = click.Path(path_type=Path, dir_okay=False)

_SOURCE = _option(
    "source",
    "--source",
    "-s",
    metavar="SOURCE",
    help="A camera's index or device path, a video, a picture, a folder of pictures, "
    "an http:// or rtsp:// stream, or 'demo'.",
)

_OPTIONS = (
    _option("mirror", "--mirror", is_flag=True, help="Draw the picture as in a mirror."),
    _option("camera_size", "--camera-size", type=_Size(), help="Size to ask the camera for."),
    _option(
        "camera_fps",
        "--camera-fps",
        type=click.FloatRange(*settings.CAMERA_FPS),
        help="Frames per second to ask the camera for.",
    ),
    _option(
        "model",
        "--model",
        "-m",
        metavar="NAME",
        help="A classification network of torchvision by its name, or efficientnet_lite0, "
        "whose weights come with live-cam[demo].",
    ),
    _option(
        "layer",
        "--layer",
        metavar="NAME",
        help="Target layer, such as features.34.  [default: the network's last feature map]",
    ),
    _option(
        "weights",
        "--weights",
        type=_FILE,
        help="A state dict, .pth or .safetensors.  [default: torchvision's pretrained weights]",
    ),
    _option(
        "labels",
        "--labels",
        type=_FILE,
        help="The classes' names: one a line, or a JSON list or index map.  [default: ImageNet's]",
    ),
    _option(
        "target_classes",
        "--class",
        multiple=True,
        metavar="NAME_OR_INDEX",
        help="Explain this class; given several times, side by side.  "
        "[default: each frame's top class]",
    ),
    _option(
        "method",
        "--method",
        type=click.Choice(settings.METHODS),
        help="How the heatmap is made of activations and gradients.",
    ),
    _option(
        "fit",
        "--fit",
        type=click.Choice(settings.FITS),
        help="What the network sees: the whole frame squashed into its square, the square in the "
        "frame's middle, or the whole frame with borders.",
    ),
    _option(
        "counterfactual",
        "--counterfactual",
        is_flag=True,
        help="Show what speaks against the class, too: red for it, blue against it.",
    ),
    _option(
        "check",
        "--check",
        type=click.IntRange(min=1),
        is_flag=False,
        flag_value=settings.CHECK_EVERY,
        metavar="[N]",
        help="Would it still say so? Hide the hottest region of one explanation in N.  "
        f"[N: {settings.CHECK_EVERY}]",
    ),
    _option(
        "smooth",
        "--smooth",
        type=click.FloatRange(*settings.SMOOTHING),
        metavar="SECONDS",
        help="How long the heatmap and the label take to follow small changes; 0 for no "
        f"smoothing.  [default: {settings.DEFAULT_SMOOTHING:g}, or 0 with --every-frame]",
    ),
    _option(
        "view",
        "--view",
        type=click.Choice(settings.VIEWS),
        help="What is shown: the overlay, the heatmap or the camera alone, these three side by "
        "side, all methods, several classes, or the strongest feature maps.",
    ),
    _option(
        "bars", "--bars/--no-bars", help="Whether the most probable classes are shown as bars."
    ),
    _option("box", "--box", is_flag=True, help="Draw a box around where the evidence lies."),
    _option("full_screen", "--full-screen", is_flag=True, help="Fill the screen."),
    _option(
        "device",
        "--device",
        metavar=f"[{'|'.join(settings.DEVICES)}]",
        help="Where the network runs; auto takes a GPU if there is one. gpu and npu are Intel's, "
        "by OpenVINO.",
    ),
    _option(
        "engine",
        "--engine",
        type=click.Choice(settings.ENGINES),
        help="What computes; auto takes the fastest one that is exact, hook explains any network, "
        "openvino comes with live-cam[openvino].",
    ),
    _option(
        "precision",
        "--precision",
        type=click.Choice(settings.PRECISIONS),
        help="Number format of the network; int8 is OpenVINO's, fastest on a CPU and not exact.",
    ),
    _option(
        "threads",
        "--threads",
        type=click.IntRange(min=1),
        help="CPU threads of the network.  [default: all but one, which draws and records]",
    ),
    _option(
        "track",
        "--track/--no-track",
        help="Whether the heatmap follows the picture's motion between two explanations.",
    ),
    _option(
        "alpha",
        "--alpha",
        type=click.FloatRange(*settings.ALPHA),
        help="Weight of the heatmap's colours.",
    ),
    _option(
        "colormap",
        "--colormap",
        type=click.Choice(settings.COLORMAPS),
        help="Colours of the heatmap.",
    ),
    _option(
        "every_frame",
        "--every-frame",
        is_flag=True,
        help="Explain each frame of a file, and show and record it once; not for cameras.",
    ),
    _option("headless", "--headless", is_flag=True, help="Run without a window."),
    _option(
        "record",
        "--record",
        type=_FILE,
        help=f"Record the annotated picture: {', '.join(settings.VIDEO_ENDINGS)}.",
    ),
    _option(
        "predictions",
        "--predictions",
        type=_FILE,
        help="Log every explanation as one JSON object a line (.jsonl).",
    ),
    _option("overwrite", "--overwrite", is_flag=True, help="Write over existing files."),
    _option(
        "seconds",
        "--seconds",
        type=click.FloatRange(min=0, min_open=True),
        help="Stop after this long.",
    ),
    _option(
        "max_frames",
        "--max-frames",
        type=click.IntRange(min=1),
        help="Stop after this many frames.",
    ),
)


def _settings_options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group(cls=_CommandOrRun, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="live-cam")
def cli() -> None:
    """Point a webcam at something and see, live, what a neural network says it is and why.

    Without a command, `run` is meant: the first camera through VGG-19.
    """


@cli.command()
@_SOURCE
@_settings_options
def run(**options: Any) -> None:
    """Explain what a camera, a video, a stream or pictures show."""
    _run(Settings(**options))


@cli.command()
@_settings_options
def demo(**options: Any) -> None:
    """Show the built-in scene: no camera needed, and no download either.

    Where VGG-19's weights are neither cached nor reachable, efficientnet_lite0 steps in. Without
    a display the demo is recorded to a file instead.
    """
    from live_cam.window import display_problem

    options |= {"source": "demo", "fallback": True}
    problem = None if options["headless"] else display_problem()
    if problem:
        from live_cam.outputs import free_path

        options["headless"] = True
        options["record"] = options["record"] or free_path(_DEMO_FILE)
        options["seconds"] = options["seconds"] or _DEMO_SECONDS
        _say(f"No window ({problem}): recording the demo to {options['record'].resolve()}.")
    _run(Settings(**options))


@cli.command()
def doctor() -> None:
    """Say what is here: cameras, accelerators, window system, encoders, cached weights."""
    from live_cam.doctor import examine

    for line in examine():
        click.echo(line)


@cli.command()
@_option("model", "--model", "-m", help="The network.")
@_option("weights", "--weights", type=_FILE, help="A state dict for it.")
@_option("device", "--device", help="Where it runs.")
@click.option(
    "--frames", type=click.IntRange(min=1), default=10, show_default=True, help="How many to time."
)
@click.option(
    "--int8/--no-int8",
    default=True,
    show_default=True,
    help="Whether to measure int8, for which the network is quantised once, in minutes.",
)
def bench(model: str, weights: Path | None, device: str, frames: int, int8: bool) -> None:
    """Say which engine is fastest here, and how many explanations per second to expect."""
    from live_cam.benchmark.short import bench as measure

    click.echo(measure(model, weights=weights, device=device, frames=frames, int8=int8, say=_say))


def _run(chosen: Settings) -> None:
    if chosen.every_frame and chosen.source.isdecimal():
        raise UsageError(
            f"--every-frame does not go with camera {chosen.source}, which never waits; "
            "use it with a video file or pictures, or leave it out."
        )
    for written in (chosen.record, chosen.predictions):
        if written and written.exists() and Path(chosen.source).resolve() == written.resolve():
            raise UsageError(
                f"{written} is the source itself and would be lost; write to another file."
            )
    from live_cam.pipeline import LivePipeline

    pipeline = LivePipeline(chosen, _say)
    with _stopped_by_signals(pipeline):
        pipeline.run()


@contextmanager
def _stopped_by_signals(pipeline: LivePipeline) -> Iterator[None]:
    """End the loop in good order on the first Ctrl-C or SIGTERM, and at once on the second."""
    numbers = [getattr(signal, name) for name in _STOP_SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        pipeline.stop()

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    click.echo(text, err=True)


def main() -> None:
    """Run the command line; the entry point of `live-cam`.

    Exits with 0 on a normal end, 1 for a failure at run time and 2 for wrong usage.
    """
    try:
        code = cli.main(prog_name="live-cam", standalone_mode=False)
    except click.exceptions.Abort:
        code = 0
    except KeyboardInterrupt:
        code = 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except LiveCamError as error:
        _say(f"live-cam: {error}")
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)
