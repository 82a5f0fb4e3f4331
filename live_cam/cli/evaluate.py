"""The command `evaluate`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from live_cam import settings
from live_cam.cli.options import MANY_IMAGES, NETWORK, named_layers, option, options
from live_cam.cli.printing import print_line
from live_cam.cli.progress import StepProgress
from live_cam.cli.signals import interrupt, stopped_by_signals
from live_cam.cli.types import Choice, InputFile, InputFolder, OutputPath, WholeNumber
from live_cam.record.destinations import check_output
from live_cam.settings import EvaluationSettings

_option = partial(option, of=EvaluationSettings)

_EVALUATION = (
    _option(
        "methods",
        "--method",
        multiple=True,
        type=Choice(settings.STILL_METHODS),
        help="A method to evaluate; repeat it for several.  [default: all except scorecam and "
        "ablationcam, which are slow]",
    ),
    _option(
        "truth",
        "--truth",
        type=InputFile(),
        help="The classes of the images: a .csv file with rows such as cats/1.jpg,tabby, or a "
        '.json object such as {"cats/1.jpg": "tabby"}.  [default: the names of their folders]',
    ),
    _option(
        "steps",
        "--steps",
        type=WholeNumber(*settings.EVALUATION_STEPS),
        help="Steps of the deletion and insertion curves; the paper uses 224.",
    ),
    _option("json", "--json", type=OutputPath(), help="Write the metrics of all images as JSON."),
    _option("overwrite", "--overwrite", is_flag=True, help="Replace an existing file."),
)


@click.command()
@click.argument("folder", type=InputFolder())
@options(_EVALUATION, MANY_IMAGES, NETWORK)
def evaluate(layers: tuple[str, ...], **chosen: Any) -> int:
    """Measure how far each method's heatmaps can be trusted, on the images in FOLDER.

    Prints average drop and increase in confidence (Chattopadhay et al. 2018), the areas under the
    deletion and insertion curves (Petsiuk et al. 2018), and the correlation with the maps of the
    same network with randomised weights (Adebayo et al. 2018).

    If FOLDER has a subfolder per class, named by its label or index, this class is explained,
    otherwise the top class. The network computes in float32 unless --precision is given.
    """
    evaluation = EvaluationSettings(**named_layers(layers), **chosen)
    if evaluation.json:
        check_output(evaluation.json, overwrite=evaluation.overwrite)
    from live_cam.evaluation.pipeline import EvaluationPipeline

    with StepProgress() as progress, stopped_by_signals(interrupt):
        pipeline = EvaluationPipeline(evaluation, progress)
        try:
            pipeline.run()
        except KeyboardInterrupt:
            measured = len(pipeline.evaluation.measured) if pipeline.evaluation else 0
            progress.notify(f"Stopped after {measured} images.")
            return 0
        finally:
            progress.close()
            if pipeline.evaluation and pipeline.evaluation.measured:
                print_line(pipeline.evaluation.text().removesuffix("\n"))
    return 1 if pipeline.evaluation and pipeline.evaluation.failed else 0
