"""The command `image`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from live_cam import settings
from live_cam.cli.options import (
    EXPLANATION,
    MANY_IMAGES,
    NETWORK,
    named_layers,
    option,
    options,
)
from live_cam.cli.printing import notify, print_line
from live_cam.cli.progress import StepProgress
from live_cam.cli.signals import interrupt, stopped_by_signals
from live_cam.cli.types import Choice, OutputFolder, Word, whole_number
from live_cam.settings import StillsSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from live_cam.explanation import Explanation

_option = partial(option, of=StillsSettings)

_METHOD = (
    _option(
        "method",
        "--method",
        type=Choice(settings.STILL_METHODS),
        help="The CAM method; scorecam and ablationcam are slow, because they run the network "
        "once per feature map of the layer.",
    ),
)
_OUTPUTS = (
    _option(
        "output",
        "--output",
        "-o",
        metavar="FOLDER",
        type=OutputFolder(),
        help="The folder to write to, created if missing.  [default: beside each image]",
    ),
    _option(
        "heatmap",
        "--heatmap",
        is_flag=True,
        help="Write the heatmap: NAME.heatmap.png in 16-bit grey, NAME.heatmap.npy in float32.",
    ),
    _option("json", "--json", is_flag=True, help="Write the predictions: NAME.json."),
    _option(
        "panel",
        "--panel",
        is_flag=True,
        help="Write image, heatmap, overlay and bars of the top five classes in one image: "
        "NAME.panel.jpg.",
    ),
    _option(
        "guided",
        "--guided",
        is_flag=True,
        help="Write Guided Grad-CAM, the heatmap times guided backpropagation, which shows single "
        "pixels: NAME.guided.png.",
    ),
    _option(
        "feature_maps",
        "--feature-maps",
        type=Choice(settings.ANIMATIONS),
        help="Write an animation of the target layer's feature maps, each weighted by its pooled "
        "gradient, and of their sum, the Grad-CAM: NAME.maps.gif or .mp4.",
    ),
    _option(
        "maps",
        "--maps",
        type=whole_number(settings.MAPS),
        help="The number of feature maps in the animation, the strongest ones.",
    ),
    _option(
        "order",
        "--order",
        type=Choice(settings.MAP_ORDERS),
        help="The order of the feature maps in the animation.",
    ),
)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=Word(), metavar="PATH...")
@options(_OUTPUTS, EXPLANATION, _METHOD, MANY_IMAGES, NETWORK)
def image(layers: tuple[str, ...], **chosen: Any) -> int:
    """Explain images: files, folders, or patterns such as 'photos/**/*.jpg'.

    Writes NAME.cam.jpg, the image with heatmap and label, and further files on request.
    """
    from live_cam.capture.image_paths import existing_path

    for path in chosen["paths"]:
        existing_path(path)
    from live_cam.stills.pipeline import StillsPipeline

    with _ImageProgress() as progress, stopped_by_signals(interrupt):
        pipeline = StillsPipeline(StillsSettings(**named_layers(layers), **chosen), progress)
        try:
            pipeline.run()
        except KeyboardInterrupt:
            progress.notify(f"Stopped after {pipeline.explained} of {pipeline.total} images.")
            return 0
    if pipeline.total > 1:
        failed = f"; {pipeline.failed} could not be explained" if pipeline.failed else ""
        notify(f"Explained {pipeline.explained} of {pipeline.total} images{failed}.")
    return 1 if pipeline.failed else 0


class _ImageProgress(StepProgress):
    """A progress bar that also prints a line per image."""

    def explained(
        self, source: Path, explanations: Sequence[Explanation], overlays: Sequence[Path]
    ) -> None:
        from live_cam.overlay.words import headline

        self.clear()
        classes = ", ".join(map(headline, explanations))
        print_line(f"{source}: {classes} → {', '.join(map(str, overlays))}")
