from __future__ import annotations

from itertools import pairwise

import torch
from torchvision import models

from live_cam.engines import open_engine
from live_cam.explain.randomisation import RandomisedNetwork
from tests.support.classifiers import as_classifier
from tests.support.networks import randomised, tiny_network

CPU = torch.device("cpu")


def test_layers_are_randomised_from_the_last_to_the_first_without_changing_the_original() -> None:
    module = tiny_network()
    before = {name: part.clone() for name, part in module.state_dict().items()}
    with RandomisedNetwork(as_classifier(module, "1"), CPU) as randomised:
        x = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
        logits = [randomised.engine.logits(x)]
        while not randomised.done:
            randomised.randomise_next()
            logits.append(randomised.engine.logits(x))
        assert randomised.progress == (3, 3)
    assert torch.equal(logits[0], module(x)), "no layer is randomised at first"
    for earlier, later in pairwise(logits):
        assert not torch.allclose(earlier, later)
    for name, part in module.state_dict().items():
        assert torch.equal(part, before[name]), name


def test_randomised_weights_are_permuted() -> None:
    module = tiny_network()
    with RandomisedNetwork(as_classifier(module, "1"), CPU) as randomised:
        randomised.randomise_all()
        copied = randomised.classifier.module
    for name, part in module.state_dict().items():
        other = copied.state_dict()[name]
        if part.ndim == 1:
            assert other is part or torch.equal(other, part), name
        else:
            assert not torch.equal(other, part), name
            assert torch.equal(other.flatten().sort().values, part.flatten().sort().values), name


def test_layers_that_are_not_randomised_share_memory() -> None:
    module = tiny_network()
    with RandomisedNetwork(as_classifier(module, "1"), CPU) as randomised:
        randomised.randomise_next()
        copied = randomised.classifier.module
    shared = [
        name
        for name, part in module.named_parameters()
        if copied.get_parameter(name).data_ptr() == part.data_ptr()
    ]
    assert shared == ["0.weight", "0.bias", "4.weight", "4.bias", "6.bias"]


def test_attention_is_randomised_too() -> None:
    module = randomised(models.vit_b_32(num_classes=7, image_size=96))
    with RandomisedNetwork(
        as_classifier(module, "encoder.layers.encoder_layer_11.ln_1"), CPU
    ) as found:
        found.randomise_all()
        copied = found.classifier.module
    kept = [
        name
        for name, part in module.named_parameters()
        if part.ndim > 1 and torch.equal(copied.get_parameter(name), part)
    ]
    assert kept == []


def test_the_engine_on_the_original_is_not_affected() -> None:
    module = tiny_network()
    named = as_classifier(module, "1")
    x = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with open_engine("hook", named) as engine:
        before = engine.explain(x, 3).cam.clone()
        with RandomisedNetwork(named, CPU) as randomised:
            randomised.randomise_all()
            assert not torch.allclose(randomised.engine.explain(x, 3).cam, before)
        assert torch.equal(engine.explain(x, 3).cam, before)
