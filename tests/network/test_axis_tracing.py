from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from live_cam.errors import UsageError
from live_cam.network.axes import Axes
from live_cam.network.axis_tracing import AxisTracer

WINDOW = 4


def windows(x: Tensor) -> Tensor:
    """N×H×W×C → all images' windows × positions × C, as Swin splits them."""
    n, h, w, c = x.shape
    x = x.view(n, h // WINDOW, WINDOW, w // WINDOW, WINDOW, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, WINDOW * WINDOW, c)


def from_windows(x: Tensor, like: Tensor) -> Tensor:
    n, h, w, c = like.shape
    x = x.view(n, h // WINDOW, w // WINDOW, WINDOW, WINDOW, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)


def channels_shuffled(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def with_class_token(x: Tensor) -> Tensor:
    return torch.cat([torch.zeros(len(x), 1, x.shape[2]), x], dim=1)


def merged(x: Tensor) -> Tensor:
    """N×H×W×C → N×H/2×W/2×4C, as in timm's Swin."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 4, 2, 5).flatten(3)


LAYOUTS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "unchanged": (lambda x: x, "NCHW"),
    "convolved": (lambda x: functional.conv2d(x, torch.ones(5, 3, 3, 3), stride=2), "NCHW"),
    "in place": (lambda x: (x * 2).relu_().add_(1), "NCHW"),
    "channels last": (lambda x: x.permute(0, 2, 3, 1), "NHWC"),
    "by name": (lambda x: torch.movedim(input=x, source=1, destination=3), "NHWC"),
    "permuted back and forth": (lambda x: x.permute(0, 2, 3, 1).transpose(1, 3).mT, "NCHW"),
    "rows and columns swapped": (lambda x: x.transpose(2, 3), "NCWH"),
    "tokens": (lambda x: x.flatten(2).mT, "NTC"),
    "tokens first": (lambda x: x.flatten(2).permute(2, 0, 1), "TNC"),
    "tokens unflattened": (lambda x: torch.unflatten(x.flatten(2).mT, 1, (8, 12)), "NHWC"),
    "a wrong grid": (lambda x: x.flatten(2).mT.reshape(2, 12, 8, 3), "N--C"),
    "class token": (lambda x: with_class_token(x.flatten(2).mT), "NTC"),
    "class token dropped": (lambda x: with_class_token(x.flatten(2).mT)[:, 1:], "NTC"),
    "some tokens dropped": (lambda x: x.flatten(2).mT[:, 5:], "N-C"),
    "one token": (lambda x: with_class_token(x.flatten(2).mT)[:, 0], "NC"),
    "windows": (lambda x: windows(x.permute(0, 2, 3, 1)), "--C"),
    "windows merged": (
        lambda x: from_windows(windows(y := x.permute(0, 2, 3, 1)) * 2, y),
        "NHWC",
    ),
    "merged patches": (lambda x: merged(x.permute(0, 2, 3, 1)), "NHWC"),
    "sliced patches": (
        lambda x: torch.cat([(y := x.permute(0, 2, 3, 1))[:, ::2, ::2], y[:, 1::2, 1::2]], -1),
        "NHWC",
    ),
    "channels shuffled": (lambda x: channels_shuffled(x.repeat(1, 2, 1, 1)), "NCHW"),
    "channels concatenated": (lambda x: torch.cat([x, x], dim=1), "NCHW"),
    "heads": (lambda x: x.repeat(1, 2, 1, 1).flatten(2).mT.reshape(2, 96, 3, 2, 1), "NT---"),
    "queries": (
        lambda x: x.repeat(1, 2, 1, 1).flatten(2).mT.reshape(2, 96, 3, 2).unbind(2)[0],
        "NTC",
    ),
    "lost in a product, restored by a residual": (
        lambda x: (y := x.flatten(2).mT) + torch.eye(96) @ y,
        "NTC",
    ),
    "lost in a product": (lambda x: torch.eye(96) @ x.flatten(2).mT, "---"),
    "positions mixed": (lambda x: functional.linear(x.flatten(2), torch.ones(96, 96)), "NC-"),
    "pooled": (lambda x: functional.adaptive_avg_pool2d(x, 1), "NCHW"),
    "flattened": (lambda x: x.flatten(1), "N-"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_its_axes(layout: str) -> None:
    run, expected = LAYOUTS[layout]
    x = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    with AxisTracer(x) as tracer:
        result = run(x)
    assert tracer.axes_of(result).roles == expected


MIXING = ("convolved", "pooled", "queries")
PLACED = [
    name
    for name, (_, roles) in LAYOUTS.items()
    if sorted(roles) in (list("CHNW"), list("CNT")) and name not in MIXING
]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("layout", PLACED)
def test_as_maps_puts_every_feature_where_it_came_from(layout: str, batch: int) -> None:
    """The pixels hold their own row and column, and so must the maps."""
    run, _ = LAYOUTS[layout]
    rows = torch.arange(8.0)[:, None].expand(8, 12)
    columns = torch.arange(12.0).expand(8, 12)
    x = torch.stack([rows, columns, torch.ones(8, 12)]).expand(batch, 3, 8, 12).contiguous()
    with AxisTracer(x) as tracer:
        result = run(x)
    maps = tracer.axes_of(result).as_maps(result)
    assert len(maps) == batch
    height, width = maps.shape[2:]
    down = torch.arange(float(height))[:, None].expand(height, width)
    across = torch.arange(float(width)).expand(height, width)
    for expected in (down, across):
        pairs = [torch.stack([channel.flatten(), expected.flatten()]) for channel in maps[-1]]
        assert max(abs(float(torch.corrcoef(pair)[0, 1].nan_to_num())) for pair in pairs) > 0.99


def test_a_batch_of_one_is_not_taken_for_a_window() -> None:
    x = torch.randn(1, 3, 4, 4)
    with AxisTracer(x) as tracer:
        channels_last = x.permute(0, 2, 3, 1)
        merged_again = from_windows(windows(channels_last), channels_last)
    assert tracer.axes_of(merged_again).roles == "NHWC"


def test_a_convolution_restores_unknown_axes() -> None:
    x = torch.randn(1, 3, 8, 8)
    untraced = torch.randn(1, 3, 8, 8)
    with AxisTracer(x) as tracer:
        convolved = functional.conv2d(untraced, torch.ones(5, 3, 1, 1))
    assert tracer.axes_of(untraced).roles == "----"
    assert tracer.axes_of(convolved).roles == "NCHW"


@pytest.mark.parametrize("roles", ["----", "N-C", "NC"])
def test_features_without_a_known_position_are_rejected(roles: str) -> None:
    shape = (1, 2, 3, 4)[: len(roles)]
    with pytest.raises(UsageError, match=r"1×2.*`layer`"):
        Axes.of(roles, shape).as_maps(torch.zeros(shape))


def test_tracing_changes_no_result() -> None:
    module = models.swin_t(weights=None).eval()
    x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = module(x)
        with AxisTracer(x):
            traced = module(x)
    assert torch.equal(traced, expected)


def test_tracing_keeps_no_tensor_alive() -> None:
    x = torch.randn(1, 3, 8, 8)
    tracer = AxisTracer(x)
    with tracer:
        for _ in range(5):
            nn.functional.relu(x)
    assert len(tracer._known) <= 2
