from __future__ import annotations

import pytest
import torch

from live_cam.engines import ENGINES
from live_cam.engines.candidates import candidates
from live_cam.network.cut import cut
from live_cam.settings import EngineChoice
from tests.support.classifiers import as_classifier
from tests.support.networks import tiny_network


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "hook"])
def test_a_named_engine_is_the_only_chosen_candidate(engine: EngineChoice) -> None:
    """`hook` needs none: it explains until another engine is open."""
    if engine == "openvino":
        pytest.importorskip("openvino")
    classifier = as_classifier(tiny_network(), "1")
    found = candidates(
        classifier,
        cut(classifier.module, classifier.layer),
        engine=engine,
        precision="fp32",
        device=torch.device("cpu"),
        accelerator=None,
    )
    chosen = [candidate.title.partition(" ")[0] for candidate in found if candidate.chosen]
    assert chosen == [engine]
