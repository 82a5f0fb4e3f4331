from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from live_cam.cam.metrics import (
    area,
    blurred,
    changed,
    drop,
    increases,
    laid_over,
    masked,
    rank_correlation,
    ranks,
    step_counts,
)
from tests.support.networks import tiny_network


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_a_map_is_scaled_to_0_to_1_and_enlarged_to_the_image() -> None:
    maps = torch.tensor([[[3.0, 3.0], [3.0, 7.0]], [[0.0, 0.0], [0.0, 0.0]]])
    laid = laid_over(maps, 8, 6)
    assert laid.shape == (2, 8, 6)
    assert laid[0, 0, 0] == 0
    assert laid[0, -1, -1] == pytest.approx(1)
    assert laid[1].eq(0).all(), "a constant map shows nothing"


def test_a_mask_keeps_the_pixels_it_shows() -> None:
    x = noise(1, 3, 2, 2)
    half = torch.tensor([[1.0, 0.0], [0.5, 1.0]])
    (kept,) = masked(x, half)
    assert torch.equal(kept[:, 0, 0], x[0, :, 0, 0])
    assert kept[:, 0, 1].eq(0).all()
    assert torch.equal(kept[:, 1, 0], x[0, :, 1, 0] / 2)
    assert torch.equal(masked(x, half[None].expand(4, 2, 2))[3], kept)


def test_drop_and_increase() -> None:
    before, after = torch.tensor([0.8, 0.5, 0.4]), torch.tensor([0.2, 0.6, 0.4])
    torch.testing.assert_close(drop(before, after), torch.tensor([0.75, 0.0, 0.0]))
    assert increases(before, after).tolist() == [False, True, False]
    assert drop(torch.zeros(1), torch.zeros(1)).item() == 0


def test_pixels_are_ranked_hottest_first() -> None:
    maps = torch.tensor([[[0.1, 0.9], [0.5, 0.1]], [[0.0, 0.0], [0.0, 0.0]]])
    assert ranks(maps).tolist() == [[[2, 0], [1, 3]], [[0, 1], [2, 3]]]


@pytest.mark.parametrize(
    ("places", "steps", "counts"),
    [(12, 3, [0, 4, 8, 12]), (10, 3, [0, 4, 8, 10]), (2, 5, [0, 1, 2]), (7, 1, [0, 7])],
)
def test_steps_are_equal_but_for_the_last(places: int, steps: int, counts: list[int]) -> None:
    assert step_counts(places, steps) == counts


def test_the_hottest_pixels_are_replaced_first() -> None:
    start, finish = torch.zeros(3, 2, 2), torch.ones(3, 2, 2)
    rank = ranks(torch.tensor([[[0.1, 0.9], [0.5, 0.2]]]))[0]
    steps = changed(start, finish, rank, torch.tensor([0, 1, 3, 4]))
    assert steps[:, 0].flatten(1).tolist() == [
        [0, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 1, 1, 1],
        [1, 1, 1, 1],
    ]
    assert torch.equal(steps[:, 0], steps[:, 2]), "all channels of a pixel change together"


def test_a_blurred_image_keeps_its_brightness_and_loses_its_content() -> None:
    x = torch.zeros(1, 3, 64, 64)
    x[..., 16:48, 16:48] = 1.0
    x[..., ::2] *= -1.0
    soft = blurred(x)
    assert soft.shape == x.shape
    assert soft.abs().max() < 0.1, "the stripes are gone"
    flat = torch.full((1, 3, 40, 64), 0.7)
    torch.testing.assert_close(blurred(flat), flat)
    assert blurred(noise(1, 3, 1, 1)).shape == (1, 3, 1, 1)


def test_areas_under_known_curves() -> None:
    counts = torch.tensor([0, 4, 8, 10])
    curves = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 0.4, 0.8, 1.0], [1.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(area(curves, counts), torch.tensor([1.0, 0.5, 0.2]))


def test_rank_correlation_equals_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    maps = noise(6, 5, 7)
    others = noise(6, 5, 7, seed=1)
    others[1] = maps[1] ** 3
    others[2] = -maps[2]
    others[3] = (maps[3] + 0.3 * others[3]).round(decimals=1)
    maps[4] = (maps[4] - 0.7).relu()
    correlation = rank_correlation(maps, others)
    expected = [
        stats.spearmanr(a.flatten(), b.flatten()).statistic
        for a, b in zip(maps.numpy(), others.numpy(), strict=True)
    ]
    np.testing.assert_allclose(correlation.numpy(), expected, atol=1e-6)
    assert correlation[1] == 1
    assert correlation[2] == -1


def test_a_constant_map_has_no_rank_correlation() -> None:
    flat = torch.full((1, 4, 4), 0.3)
    assert rank_correlation(flat, noise(1, 4, 4)).item() == 0
    assert rank_correlation(flat, flat).item() == 0


class Recorded:
    """A torch-cam extractor that returns given maps."""

    def __init__(self, model: torch.nn.Module, maps: Tensor) -> None:
        self.model = model
        self._maps = maps

    def __call__(self, *_: object, **__: object) -> list[Tensor]:
        return [self._maps.clone()]

    def fuse_cams(self, maps: list[Tensor]) -> Tensor:
        return maps[0]

    def _hooks_off(self) -> torch.no_grad:
        return torch.no_grad()


def test_drop_and_increase_equal_torch_cams() -> None:
    metrics = pytest.importorskip("torchcam.metrics")
    module = tiny_network()
    x = torch.randn(9, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    maps = (5 * noise(9, 4, 4) - 2).relu()
    softmax = partial(torch.softmax, dim=-1)
    peer = metrics.ClassificationMetric(Recorded(module, laid_over(maps, 4, 4)), softmax)
    classes = torch.arange(9) % 7
    peer.update(x, classes.tolist())
    with torch.no_grad():
        before, kept = (
            softmax(module(images))[torch.arange(9), classes]
            for images in (x, masked(x, laid_over(maps, 32, 32)))
        )
    expected = peer.summary()
    assert drop(before, kept).mean().item() == pytest.approx(expected["avg_drop"], abs=1e-5)
    assert increases(before, kept).sum().item() / 9 == expected["conf_increase"]
    assert 0 < expected["conf_increase"] < 1


@pytest.mark.parametrize("steps", [7, 20])
def test_curves_equal_torch_cams(steps: int) -> None:
    metrics = pytest.importorskip("torchcam.metrics")
    if not hasattr(metrics, "DeletionInsertionMetric"):
        pytest.skip("this torch-cam has no curves")
    module = tiny_network()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    maps = laid_over((noise(2, 4, 4) - 0.4).relu(), 32, 32)
    with torch.no_grad():
        classes = module(x).argmax(dim=1)
    softmax = partial(torch.softmax, dim=-1)
    counts = torch.tensor(step_counts(32 * 32, steps))
    for baseline in (torch.zeros_like, blurred):
        peer = metrics.DeletionInsertionMetric(
            Recorded(module, maps), softmax, steps=steps, baseline=baseline
        )
        peer.update(x)
        canvas = baseline(x)
        areas = {}
        for name, first, last in (("deletion_auc", x, canvas), ("insertion_auc", canvas, x)):
            curves = []
            for number, rank in enumerate(ranks(maps)):
                images = changed(first[number], last[number], rank, counts)
                with torch.no_grad():
                    curves.append(softmax(module(images))[:, classes[number]])
            areas[name] = area(torch.stack(curves), counts).mean().item()
        assert areas == pytest.approx(peer.summary(), abs=1e-5)
