"""The command about how far explanations can be trusted: `evaluate`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from live_cam import settings
from live_cam.cli.options import MANY_IMAGES, NETWORK, named_layers, option, options
from live_cam.cli.printing import tell
from live_cam.cli.progress import StepProgress
from live_cam.cli.signals import interrupt, stopped_by_signals
from live_cam.cli.types import Choice, InputFile, InputFolder, OutputFile, WholeNumber
from live_cam.record.destinations import check_output
from live_cam.settings import EvaluationSettings

_option = partial(option, of=EvaluationSettings)

_EVALUATION = (
    _option(
        "methods",
        "--method",
        multiple=True,
        type=Choice(settings.STILL_METHODS),
        help="Evaluate this method; may be given several times.  [default: all but scorecam and "
        "ablationcam, which take their time]",
    ),
    _option(
        "truth",
        "--truth",
        type=InputFile(),
        help="What the images show: a .csv file of lines such as cats/1.jpg,tabby, or a .json "
        "file of an object.  [default: what their folders are called]",
    ),
    _option(
        "steps",
        "--steps",
        type=WholeNumber(*settings.EVALUATION_STEPS),
        help="In how many steps an image is deleted and inserted; the paper's authors take 224.",
    ),
    _option("json", "--json", type=OutputFile(), help="Write all figures, of each image too."),
    _option("overwrite", "--overwrite", is_flag=True, help="Write over an existing file."),
)


@click.command()
@click.argument("folder", type=InputFolder())
@options(_EVALUATION, MANY_IMAGES, NETWORK)
def evaluate(layers: tuple[str, ...], **chosen: Any) -> int:
    """Measure on the images of FOLDER how far each method's maps can be trusted.

    Prints average drop and increase in confidence (Chattopadhay et al. 2018), the areas under the
    deletion and insertion curves (Petsiuk et al. 2018), and how alike the maps stay when the
    network's weights are randomised (Adebayo et al. 2018).

    Where FOLDER has a folder for each class, named by the class's label or index, that class is
    explained, and otherwise the top class. The network computes in float32 unless --precision
    says otherwise.
    """
    asked = EvaluationSettings(**named_layers(layers), **chosen)
    if asked.json:
        check_output(asked.json, overwrite=asked.overwrite)
    from live_cam.evaluation.pipeline import EvaluationPipeline

    with StepProgress() as progress, stopped_by_signals(interrupt):
        pipeline = EvaluationPipeline(asked, progress)
        try:
            pipeline.run()
        except KeyboardInterrupt:
            measured = len(pipeline.evaluation.measured) if pipeline.evaluation else 0
            progress.notify(f"Stopped after {measured} images.")
            return 0
        finally:
            progress.close()
            if pipeline.evaluation and pipeline.evaluation.measured:
                tell(pipeline.evaluation.text().removesuffix("\n"))
    return 1 if pipeline.evaluation and pipeline.evaluation.failed else 0
