"""The settings of every command: each choice, default and range, once.

Those of drawing are in `live_cam.look`. `live_cam.cli` derives its options from both. They import
neither torch nor OpenCV, so that `live-cam --help` is instant.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

from live_cam.look import Look, Range

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path


CAMERA_FPS: Final = Range(1.0, 1000.0)
CAMERA_SIDE: Final = Range(16, 16384)
RECONNECT: Final = Range(0.0, 86_400.0)
RECONNECT_SECONDS: Final = 60.0
"""Long enough to plug a loose cable back in, or for a server to restart; an unattended run still
ends."""
DEVICES: Final = ("auto", "cpu", "cuda", "cuda:N", "mps", "xpu", "gpu", "npu")
ACCELERATORS: Final = ("gpu", "npu")
"""Intel's devices, which OpenVINO uses besides the CPU."""
EngineChoice = Literal["auto", "hook", "torch", "openvino"]
ENGINES: Final[tuple[EngineChoice, ...]] = get_args(EngineChoice)
PrecisionChoice = Literal["auto", "fp32", "fp16", "bf16", "int8"]
PRECISIONS: Final[tuple[PrecisionChoice, ...]] = get_args(PrecisionChoice)
OPENVINO_ONLY: Final = (*ACCELERATORS, "int8")
"""Devices and precisions that only OpenVINO supports."""
Method = Literal[
    "gradcam",
    "gradcam++",
    "hirescam",
    "xgradcam",
    "layercam",
    "gradcam-elementwise",
    "eigengradcam",
    "eigencam",
]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
PerturbationMethod = Literal["scorecam", "ablationcam"]
StillMethod = Literal[Method, PerturbationMethod]
STILL_METHODS: Final[tuple[StillMethod, ...]] = get_args(StillMethod)
"""The methods for still images. Perturbation takes a forward pass per feature map."""
SHOWN_CLASSES: Final = 4
"""How many classes the view `classes` shows, unless the user named more."""
SHOWN_FEATURE_MAPS: Final = 16
Fit = Literal["squash", "crop", "pad"]
FITS: Final[tuple[Fit, ...]] = get_args(Fit)
CHECK_EVERY: Final = 10
"""Default interval between checked explanations."""
DEFAULT_SMOOTHING: Final = 1.0
SMOOTHING: Final = Range(0.0, 60.0)
MOST_PIXELS: Final = 1 << 27
"""The largest image: 134 million pixels, above the 108 million of the best phone cameras. A few
bytes of a header can claim more, which would take gigabytes."""
MOST_VIDEO_PIXELS: Final = 1 << 26
"""The largest frame of a video, twice 8K. Decoders hold dozens of frames."""
THREADS: Final = Range(1, 256)
"""CPU threads of the network. If the system denies one, the process dies immediately."""
BATCH: Final = Range(1, 4096)
"""Images explained in one batch."""
MAPS: Final = Range(1, 100_000)
"""Feature maps in an animation; no layer has more."""
VIDEO_ENDINGS: Final = (".mp4", ".mov", ".mkv", ".avi")
TIMED_ENDINGS: Final = (".mp4", ".mov", ".mkv")
"""Formats in which each frame has its own time."""
Animation = Literal["gif", "mp4"]
ANIMATIONS: Final[tuple[Animation, ...]] = get_args(Animation)
MapOrder = Literal["weight", "index"]
MAP_ORDERS: Final[tuple[MapOrder, ...]] = get_args(MapOrder)
EVALUATION_STEPS: Final = (1, 1000)
TOP_K: Final = 5
EMBEDDED_MODEL: Final = "efficientnet_lite0"
"""The network whose weights come with a Python package, without a download."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """Which network to explain, its input, and where and how it computes."""

    model: str = "vgg19"
    """The network's name in torchvision, `timm/` and its name in timm, or `efficientnet_lite0`."""
    fallback: bool = False
    """Whether to fall back to the embedded network, with a message, if weights are unavailable."""
    layer: str | None = None
    """Dotted name of the target layer, or None for the network's last feature map."""
    weights: Path | None = None
    """A state dict, `.pth` or `.safetensors`, or None for the library's pretrained weights."""
    labels: Path | None = None
    """One label per line, or a JSON list or index map; None for ImageNet's labels."""
    fit: Fit = "squash"
    """How a frame becomes the network's input."""
    device: str = "auto"
    """One of `DEVICES`, with a number for N."""
    precision: PrecisionChoice = "auto"
    """Number format of the network."""
    engine: EngineChoice = "auto"
    """The engine; `auto` is the fastest exact one."""
    threads: int | None = None
    """CPU threads of the network; None for all, except one that draws while the network runs."""


@dataclass(frozen=True, kw_only=True)
class ExplanationSettings(NetworkSettings, Look):
    """What to explain, and how to draw the explanation."""

    target_classes: tuple[str, ...] = ()
    """Names or indices of the classes to explain; empty for the top class of each image."""
    method: StillMethod = "gradcam"
    """How the heatmap is computed."""
    counterfactual: bool = False
    """Whether to show the evidence against the class too."""
    overwrite: bool = False
    """Whether to overwrite existing files."""

    @property
    def look(self) -> Look:
        """How the explanation is drawn."""
        return Look(**{field.name: getattr(self, field.name) for field in fields(Look)})


@dataclass(frozen=True, kw_only=True)
class MovingSettings(ExplanationSettings):
    """What the live loop and the video command share."""

    method: Method = "gradcam"
    """How the heatmap is computed."""

    @property
    def look(self) -> Look:
        """How the explanation is drawn: several classes side by side, unless a view is chosen."""
        look = super().look
        several = len(self.target_classes) > 1
        return replace(look, view="classes") if several and look.view == "overlay" else look


@dataclass(frozen=True, kw_only=True)
class Settings(MovingSettings):
    """A run of the live loop."""

    source: str = "0"
    """A camera's index or device path, a video, an image, a folder, a URL, or `demo`."""
    camera_size: tuple[int, int] | None = None
    """Width and height in pixels to request; None for the camera's best at full frame rate."""
    camera_fps: float | None = None
    """Frames per second to request from the camera; None for 30."""
    reconnect_seconds: float = RECONNECT_SECONDS
    """Seconds to try to reconnect a lost camera or stream, in `RECONNECT`; 0 to end the run."""
    check: int | None = None
    """Check every Nth explanation by hiding its hottest region; None to check none."""
    smooth: float | None = None
    """Time constant in seconds for smoothing small changes; 0 for none, None for
    `DEFAULT_SMOOTHING`, or 0 with `every_frame`."""
    full_screen: bool = False
    """Whether the window fills the screen."""
    track: bool = True
    """Whether the heatmap follows the image's motion between two explanations."""
    every_frame: bool = False
    """Whether each frame of a file is explained, shown and recorded exactly once."""
    headless: bool = False
    """Whether to run without a window."""
    record: Path | None = None
    """The video file to record, ending in one of `VIDEO_ENDINGS`."""
    predictions: Path | None = None
    """The JSON lines file that logs every explanation."""
    seconds: float | None = None
    """Stop this many seconds after the first frame; None for no limit."""
    max_frames: int | None = None
    """Stop after this many frames shown (or, headless, drawn); None for no limit."""

    @property
    def smoothing(self) -> float:
        """The time constant of smoothing in seconds; 0 for none."""
        if self.smooth is not None:
            return self.smooth
        return 0.0 if self.every_frame else DEFAULT_SMOOTHING


@dataclass(frozen=True, kw_only=True)
class StillsSettings(ExplanationSettings):
    """Which images to explain, and what to write for each."""

    paths: tuple[str, ...] = ()
    """Files, folders and patterns."""
    output: Path | None = None
    """The folder to write to, created if missing; None for each image's own."""
    heatmap: bool = False
    """Whether to write the heatmap, as a grey image and as an array."""
    json: bool = False
    """Whether to write the explanation as JSON."""
    panel: bool = False
    """Whether to write image, heatmap, overlay and probabilities in one image."""
    guided: bool = False
    """Whether to write Guided Grad-CAM, the heatmap times guided backpropagation."""
    more_layers: tuple[str, ...] = ()
    """Further target layers. The maps of all layers are averaged."""
    feature_maps: Animation | None = None
    """Format of an animation of the feature maps, or None for none."""
    maps: int = 32
    """How many of the strongest feature maps it shows."""
    order: MapOrder = "weight"
    """Their order."""
    batch: int | None = None
    """Images per batch; None to choose by the device and its memory."""


@dataclass(frozen=True, kw_only=True)
class VideoSettings(MovingSettings):
    """Which video file to explain, and the file to write."""

    input: Path
    """The video."""
    output: Path
    """The file to write, ending in one of `VIDEO_ENDINGS` but `.avi`."""
    start: Fraction | None = None
    """Start of the part to explain in seconds; None for the beginning."""
    end: Fraction | None = None
    """End of the part to explain in seconds, exclusive; None for the end."""
    audio: bool = True
    """Whether to copy the sound."""
    smooth: float = 0.0
    """Time constant in seconds for smoothing small changes; 0 for none."""
    batch: int | None = None
    """Frames per batch; None to choose by the device and its memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings(NetworkSettings):
    """Which images and methods to evaluate, and how finely."""

    folder: Path
    """The folder of images, with or without a subfolder per class."""
    truth: Path | None = None
    """The images' classes, a CSV file or a JSON object; None for the names of their folders."""
    methods: tuple[StillMethod, ...] = ()
    """The methods to evaluate; empty for all of `METHODS`."""
    more_layers: tuple[str, ...] = ()
    """Further target layers. The maps of all layers are averaged."""
    steps: int = 20
    """Number of steps of deletion and insertion, in `EVALUATION_STEPS`."""
    batch: int | None = None
    """Images per batch; None to choose by the device and its memory."""
    json: Path | None = None
    """The file for all metrics, or None."""
    overwrite: bool = False
    """Whether to overwrite an existing file."""
