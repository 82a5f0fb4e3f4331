"""The command about images in files: `image`."""

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
from live_cam.cli.printing import notify, tell
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
        help="How the heatmap is made; scorecam and ablationcam look at as many changed images "
        "as the layer has feature maps, and take their time.",
    ),
)
_OUTPUTS = (
    _option(
        "output",
        "--output",
        "-o",
        metavar="FOLDER",
        type=OutputFolder(),
        help="Where to write; made if it is missing.  [default: beside each image]",
    ),
    _option(
        "heatmap",
        "--heatmap",
        is_flag=True,
        help="Write the heatmap: NAME.heatmap.png in 16 bit grey, NAME.heatmap.npy in float32.",
    ),
    _option("json", "--json", is_flag=True, help="Write what the network says: NAME.json."),
    _option(
        "panel",
        "--panel",
        is_flag=True,
        help="Write image, heatmap, overlay and the top five as bars in one: NAME.panel.jpg.",
    ),
    _option(
        "guided",
        "--guided",
        is_flag=True,
        help="Write Guided Grad-CAM, the heatmap times guided backpropagation, in which single "
        "pixels are seen: NAME.guided.png.",
    ),
    _option(
        "feature_maps",
        "--feature-maps",
        type=Choice(settings.ANIMATIONS),
        help="Write an animation of the target layer's feature maps, each weighed by its pooled "
        "gradient, and at last of their sum, the Grad-CAM: NAME.maps.gif or .mp4.",
    ),
    _option(
        "maps",
        "--maps",
        type=whole_number(settings.MAPS),
        help="How many of them: the strongest ones.",
    ),
    _option("order", "--order", type=Choice(settings.MAP_ORDERS), help="And in which order."),
)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=Word(), metavar="PATH...")
@options(_OUTPUTS, EXPLANATION, _METHOD, MANY_IMAGES, NETWORK)
def image(layers: tuple[str, ...], **chosen: Any) -> int:
    """Explain images: files, folders, or patterns such as 'photos/**/*.jpg'.

    Writes NAME.cam.jpg, the image with heatmap and label, and on request more.
    """
    from live_cam.capture.image_paths import existing_path

    for path in chosen["paths"]:
        existing_path(path)
    from live_cam.stills.pipeline import StillsPipeline

    with _Progress() as progress, stopped_by_signals(interrupt):
        pipeline = StillsPipeline(StillsSettings(**named_layers(layers), **chosen), progress)
        try:
            pipeline.run()
        except KeyboardInterrupt:
            progress.notify(f"Stopped after {pipeline.explained} of {pipeline.total} images.")
            return 0
    if pipeline.total > 1:
        unread = f"; {pipeline.failed} could not be explained" if pipeline.failed else ""
        notify(f"Explained {pipeline.explained} of {pipeline.total} images{unread}.")
    return 1 if pipeline.failed else 0


class _Progress(StepProgress):
    """Writes a line for each image, too."""

    def explained(
        self, source: Path, explanations: Sequence[Explanation], overlays: Sequence[Path]
    ) -> None:
        from live_cam.overlay.words import headline

        self.clear()
        classes = ", ".join(map(headline, explanations))
        tell(f"{source}: {classes} → {', '.join(map(str, overlays))}")
