"""The front door: `live_cam.explain` and `live_cam.overlay`, as users of the library call them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torchvision import models, transforms

import live_cam
from live_cam.cam.gradcam import GradCAM
from live_cam.capture.image_file import read_image
from live_cam.errors import UsageError
from live_cam.explanation import Explanation
from live_cam.overlay import peak
from tests.support.networks import randomised

EMBEDDED = "efficientnet_lite0"
SIZE = 48


class Brightness(nn.Module):
    """Two classes, bright and dark; its one layer's map is the image's own brightness."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 4, stride=4, bias=True)
        self.head = nn.Linear(3, 2, bias=False)
        with torch.no_grad():
            for channel, weight in enumerate((1.0, -1.0, 0.0)):
                self.layer.weight[channel] = weight / 48
            assert self.layer.bias is not None
            self.layer.bias.copy_(torch.tensor([0.0, 1.0, 0.0]))
            self.head.weight.copy_(torch.eye(2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.layer(x).relu().mean(dim=(2, 3)))
        return logits


def spot(width: int, height: int, x: int, y: int, radius: int = 12) -> NDArray[np.uint8]:
    """A white spot on black, RGB."""
    image = np.zeros((height, width, 3), np.uint8)
    image[y - radius : y + radius, x - radius : x + radius] = 255
    return image


@pytest.fixture(scope="module")
def coffee(photo_folder: Path) -> Path:
    return photo_folder / "coffee.png"


class TestNamedNetwork:
    def test_explains_a_file(self, coffee: Path) -> None:
        explanation = live_cam.explain(coffee, model=EMBEDDED)
        assert explanation.label == "espresso"
        assert explanation.probability > 0.5
        assert explanation.heatmap.shape == (7, 7)
        assert explanation.heatmap.max() == 1
        assert isinstance(explanation, Explanation)

    def test_all_kinds_of_images_give_the_same(self, coffee: Path) -> None:
        image = Image.open(coffee).convert("RGB")
        rgb = np.array(image)
        tensor = torch.from_numpy(rgb).permute(2, 0, 1)
        expected = live_cam.explain(str(coffee), model=EMBEDDED)
        others: list[Any] = [
            coffee, image, rgb, np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]),
            rgb / 255, tensor, tensor[None], tensor / 255,
        ]  # fmt: skip
        for other in others:
            explanation = live_cam.explain(other, model=EMBEDDED)
            np.testing.assert_allclose(explanation.heatmap, expected.heatmap, atol=1e-5)
            np.testing.assert_array_equal(explanation.image, rgb)

    def test_a_target_is_named_or_numbered(self, coffee: Path) -> None:
        named = live_cam.explain(coffee, "espresso", model=EMBEDDED)
        numbered = live_cam.explain(coffee, 967, model=EMBEDDED)
        assert named.class_index == numbered.class_index == 967
        cat = live_cam.explain(coffee, "Egyptian cat", model=EMBEDDED, method="layercam")
        assert cat.label == "Egyptian cat"
        assert cat.maps[0].title == "layercam"

    def test_saves_what_it_draws(self, coffee: Path, tmp_path: Path) -> None:
        explanation = live_cam.explain(coffee, model=EMBEDDED)
        assert explanation.save(tmp_path / "coffee.cam.png") == tmp_path / "coffee.cam.png"
        saved = read_image(tmp_path / "coffee.cam.png")
        assert saved is not None
        np.testing.assert_array_equal(saved[..., ::-1], explanation.draw())
        assert saved.shape == explanation.image.shape
        explanation.save(str(tmp_path / "plain.jpg"), alpha=0.0, bars=False)
        assert (tmp_path / "plain.jpg").stat().st_size > 0

    def test_shows_itself_in_a_notebook(self, coffee: Path) -> None:
        shown = live_cam.explain(coffee, model=EMBEDDED)._repr_png_()
        assert shown.startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        ("image", "options", "words"),
        [
            ("nowhere.jpg", {}, "`image` is 'nowhere.jpg', but there is no such file"),
            (__file__, {}, "cannot be read as an image"),
            (np.zeros((4, 5, 2), np.uint8), {}, r"`image` has the shape \(4, 5, 2\)"),
            (np.zeros((4, 5, 3), np.int32), {}, "`image` is of int32"),
            (np.full((4, 5, 3), 7.5), {}, "`image` has values from 7.5 to 7.5"),
            (torch.zeros(5, 4, 9), {}, r"`image` is a tensor of \(5, 4, 9\)"),
            (np.zeros((4, 5, 3), np.uint8), {"model": "vgg91"}, "vgg91"),
            (np.zeros((4, 5, 3), np.uint8), {"layer": "nowhere"}, "nowhere"),
            (np.zeros((4, 5, 3), np.uint8), {"target": "unicorn"}, "unicorn"),
            (np.zeros((4, 5, 3), np.uint8), {"transform": abs}, "`transform` is for a module"),
        ],
    )
    def test_a_mistake_is_named(self, image: Any, options: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            live_cam.explain(image, **{"model": EMBEDDED, **options})

    def test_an_ending_without_a_format_is_named(self, coffee: Path, tmp_path: Path) -> None:
        explanation = live_cam.explain(coffee, model=EMBEDDED)
        with pytest.raises(UsageError, match=r"`path` is .*cam\.txt"):
            explanation.save(tmp_path / "cam.txt")


class TestOwnNetwork:
    def test_is_explained_with_its_transform_and_labels(self) -> None:
        transform = transforms.Compose([transforms.Resize((SIZE, SIZE)), transforms.ToTensor()])
        explanation = live_cam.explain(
            spot(320, 240, 200, 60, 40),
            "bright",
            model=Brightness(),
            layer="layer",
            labels=["bright", "dark"],
            transform=transform,
        )
        assert explanation.label == "bright"
        x, y = peak(explanation.heatmap, 320, 240, region=explanation.region)
        assert abs(x - 200) <= 40
        assert abs(y - 60) <= 40

    def test_of_torchvision_without_a_transform(self, coffee: Path) -> None:
        module = randomised(models.resnet18(weights=None))
        explanation = live_cam.explain(coffee, model=module)
        assert len(explanation.top) == 5
        assert explanation.heatmap.shape == (7, 7)

    def test_is_left_as_it_was_found(self) -> None:
        module = Brightness().train()
        module.layer.weight.requires_grad_(False)
        live_cam.explain(spot(64, 64, 32, 32), model=module, layer=module.layer)
        assert module.training
        assert module.layer.training
        assert module.head.weight.requires_grad
        assert not module.layer.weight.requires_grad
        assert all(parameter.grad is None for parameter in module.parameters())
        assert not module.layer._forward_hooks

    @pytest.mark.parametrize(
        ("steps", "size"),
        [
            ([transforms.Resize((SIZE, SIZE))], (300, 200)),
            ([transforms.Resize(SIZE), transforms.CenterCrop(SIZE)], (300, 200)),
            ([transforms.Resize(SIZE), transforms.CenterCrop(SIZE)], (200, 320)),
            ([transforms.Resize(64), transforms.CenterCrop(SIZE)], (640, 480)),
            ([transforms.CenterCrop(120), transforms.Resize(SIZE)], (200, 160)),
            ([transforms.Pad((0, 50)), transforms.Resize((SIZE, SIZE))], (300, 200)),
            ([transforms.Pad((0, 50), fill=127), transforms.Resize((SIZE, SIZE))], (300, 200)),
        ],
    )
    @pytest.mark.parametrize("place", [(0.4, 0.4), (0.6, 0.55)])
    def test_the_heat_is_where_the_spot_is_whatever_the_transform_crops(
        self, steps: list[Any], size: tuple[int, int], place: tuple[float, float]
    ) -> None:
        width, height = size
        x, y = round(place[0] * width), round(place[1] * height)
        normalise = transforms.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
        network = nn.Sequential(transforms.Normalize((-2.5, -4 / 3, -0.75), (5, 10 / 3, 2.5)))
        network.append(Brightness())
        explanation = live_cam.explain(
            spot(width, height, x, y, height // 10),
            0,
            model=network,
            layer="1.layer",
            transform=transforms.Compose([*steps, transforms.ToTensor(), normalise]),
        )
        found = peak(explanation.heatmap, width, height, region=explanation.region)
        cell = explanation.region.width * width / 12, explanation.region.height * height / 12
        assert abs(found[0] - x) <= cell[0] + height // 10
        assert abs(found[1] - y) <= cell[1] + height // 10

    def test_the_region_is_that_of_the_crop(self) -> None:
        steps = [transforms.Resize(SIZE), transforms.CenterCrop(SIZE), transforms.ToTensor()]
        explanation = live_cam.explain(
            spot(300, 200, 150, 100), model=Brightness(), transform=transforms.Compose(steps)
        )
        assert explanation.region == pytest.approx((1 / 6, 0, 2 / 3, 1), abs=0.01)

    @pytest.mark.parametrize(
        "step",
        [
            transforms.RandomHorizontalFlip(p=1.0),
            transforms.RandomRotation((45, 45)),
        ],
    )
    def test_a_transform_that_turns_the_image_is_rejected(self, step: Any) -> None:
        transform = transforms.Compose(
            [transforms.Resize((SIZE, SIZE)), step, transforms.ToTensor()]
        )
        with pytest.raises(UsageError, match="`transform` does more than"):
            live_cam.explain(spot(64, 64, 32, 32), model=Brightness(), transform=transform)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"labels": ["one"]}, "`labels` has 1 labels, but Brightness has 2 outputs"),
            ({"layer": nn.ReLU()}, "the ReLU given as `layer` is not a layer of this Brightness"),
            ({"layer": "nowhere"}, "nowhere"),
            ({"weights": "file.pth"}, "`weights` are for a named network"),
            ({"transform": lambda image: image}, "`transform` returned a Image"),
            ({"transform": lambda _: torch.zeros(4, 4)}, r"`transform` returned \(4, 4\)"),
        ],
    )
    def test_a_mistake_is_named(self, options: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            live_cam.explain(spot(64, 64, 32, 32), model=Brightness(), **options)


class TestOverlay:
    def test_lays_any_map_over_any_image(self) -> None:
        image = np.full((60, 80, 3), 100, np.uint8)
        cam = torch.zeros(1, 6, 8)
        cam[0, 1, 6] = 3e-4
        drawn = live_cam.overlay(image, cam)
        assert drawn.shape == image.shape
        red, blue = drawn[15, 65, 0], drawn[15, 65, 2]
        assert red > blue, "hot in jet's red, and RGB"
        assert drawn[50, 10, 2] > drawn[50, 10, 0], "cold in its blue"
        np.testing.assert_array_equal(
            live_cam.overlay(Image.fromarray(image), cam[0].numpy()), drawn
        )

    def test_lays_a_signed_map(self) -> None:
        image = np.full((60, 80, 3), 100, np.uint8)
        drawn = live_cam.overlay(image, np.array([[5.0, 0.0, -5.0]]))
        assert drawn[30, 5, 0] > drawn[30, 5, 2]
        assert drawn[30, 75, 2] > drawn[30, 75, 0]

    def test_lays_an_explanation_where_the_network_looked(self, coffee: Path) -> None:
        explanation = live_cam.explain(coffee, model=EMBEDDED)
        drawn = live_cam.overlay(coffee, explanation, colormap="viridis", alpha=1.0)
        expected = live_cam.overlay(coffee, explanation.heatmap, colormap="viridis", alpha=1.0)
        np.testing.assert_array_equal(drawn, expected)

    def test_the_map_of_gradcam_itself(self) -> None:
        module = Brightness()
        x = torch.from_numpy(spot(48, 48, 36, 12)).permute(2, 0, 1)[None] / 255
        with GradCAM(module, "layer") as cam:
            heatmap = cam(x, 0).cam
        drawn = live_cam.overlay(x, heatmap)
        assert drawn[12, 36, 0] > drawn[40, 8, 0]

    @pytest.mark.parametrize(
        ("heatmap", "options", "words"),
        [
            (np.zeros((2, 3, 4)), {}, r"`heatmap` has the shape \(2, 3, 4\)"),
            (np.array([[np.nan]]), {}, "`heatmap` holds NaN"),
            (np.ones((3, 3)), {"alpha": 1.5}, "alpha"),
            (np.ones((3, 3)), {"colormap": "rainbows"}, "rainbows"),
        ],
    )
    def test_a_mistake_is_named(self, heatmap: Any, options: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            live_cam.overlay(np.zeros((8, 8, 3), np.uint8), heatmap, **options)


class TestCallableRooms:
    """`live_cam.explain` is a room of the package and a function at once."""

    @pytest.mark.parametrize("name", ["explain", "overlay"])
    def test_keeps_its_signature(self, name: str) -> None:
        from live_cam.explain import front

        assert inspect.signature(getattr(live_cam, name)) == inspect.signature(getattr(front, name))

    def test_works_whatever_was_imported_before(self) -> None:
        program = (
            "import live_cam, numpy as np\n"
            "import live_cam.overlay.colours, live_cam.explain.explainer\n"
            "from live_cam import overlay\n"
            "image = np.zeros((8, 8, 3), np.uint8)\n"
            "assert overlay(image, np.ones((2, 2))).shape == image.shape\n"
            "assert live_cam.overlay.Overlay is overlay.Overlay\n"
            "assert callable(live_cam.explain)"
        )
        subprocess.run([sys.executable, "-c", program], check=True)
