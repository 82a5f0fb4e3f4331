"""What a run is asked to do: every choice, default and range, once; `live_cam.look` has the look's.

`live_cam.cli` derives its options from here. This module imports neither torch nor OpenCV, so
that `live-cam --help` is instant.
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
"""Long enough to notice that a cable is out and to put it back, or for a server to start anew; what
runs with nobody before it still ends by itself."""
DEVICES: Final = ("auto", "cpu", "cuda", "cuda:N", "mps", "xpu", "gpu", "npu")
ACCELERATORS: Final = ("gpu", "npu")
"""The devices that OpenVINO computes on beside the CPU: Intel's."""
EngineChoice = Literal["auto", "hook", "torch", "openvino"]
ENGINES: Final[tuple[EngineChoice, ...]] = get_args(EngineChoice)
PrecisionChoice = Literal["auto", "fp32", "fp16", "bf16", "int8"]
PRECISIONS: Final[tuple[PrecisionChoice, ...]] = get_args(PrecisionChoice)
OPENVINO_ONLY: Final = (*ACCELERATORS, "int8")
"""The devices and precisions that no other engine has."""
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
"""These need a forward pass for each feature map."""
SHOWN_CLASSES: Final = 4
"""How many classes the view `classes` shows side by side, unless more were named."""
SHOWN_FEATURE_MAPS: Final = 16
Fit = Literal["squash", "crop", "pad"]
FITS: Final[tuple[Fit, ...]] = get_args(Fit)
CHECK_EVERY: Final = 10
"""One explanation in how many is checked, where the user says no number."""
DEFAULT_SMOOTHING: Final = 1.0
SMOOTHING: Final = Range(0.0, 60.0)
MOST_PIXELS: Final = 1 << 27
"""Of an image: 134 million, of which phones' best cameras make 108. More take gigabytes, and a few
bytes are enough to claim them."""
MOST_VIDEO_PIXELS: Final = 1 << 26
"""Of a video's image, of which decoders hold dozens: twice 8K."""
THREADS: Final = Range(1, 256)
"""Of a network. Where the system refuses one of them, the process ends at once."""
BATCH: Final = Range(1, 4096)
"""Images that are explained at once."""
MAPS: Final = Range(1, 100_000)
"""Feature maps that are shown one by one; no layer has more."""
VIDEO_ENDINGS: Final = (".mp4", ".mov", ".mkv", ".avi")
TIMED_ENDINGS: Final = (".mp4", ".mov", ".mkv")
"""Those of formats in which each frame has a time of its own."""
Animation = Literal["gif", "mp4"]
ANIMATIONS: Final[tuple[Animation, ...]] = get_args(Animation)
MapOrder = Literal["weight", "index"]
MAP_ORDERS: Final[tuple[MapOrder, ...]] = get_args(MapOrder)
EVALUATION_STEPS: Final = (1, 1000)
TOP_K: Final = 5
EMBEDDED_MODEL: Final = "efficientnet_lite0"
"""The network whose weights come with a Python package: it needs no download."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """Which network explains, what it sees, and where and how it computes."""

    model: str = "vgg19"
    """The network's name in torchvision, `timm/` and its name in timm, or `efficientnet_lite0`."""
    fallback: bool = False
    """Whether the embedded network steps in, with a sentence, when weights cannot be had."""
    layer: str | None = None
    """Dotted name of the target layer; None: found from the network itself."""
    weights: Path | None = None
    """A state dict, `.pth` or `.safetensors`; None: the library's pretrained weights."""
    labels: Path | None = None
    """One label a line, or a JSON list or index map; None: the names of ImageNet's classes."""
    fit: Fit = "squash"
    """How a frame becomes the network's input."""
    device: str = "auto"
    """One of `DEVICES`, with a number for N."""
    precision: PrecisionChoice = "auto"
    """Number format of the network."""
    engine: EngineChoice = "auto"
    """What computes; `auto`: the fastest exact one."""
    threads: int | None = None
    """CPU threads of the network; None: all, but for the one that draws while the network runs."""


@dataclass(frozen=True, kw_only=True)
class ExplanationSettings(NetworkSettings, Look):
    """What is explained, and how the explanation is drawn."""

    target_classes: tuple[str, ...] = ()
    """Names or indices of classes to explain; none: the top class of each frame."""
    method: StillMethod = "gradcam"
    """How the heatmap is computed; one of `METHODS`, or for still images of `STILL_METHODS`."""
    counterfactual: bool = False
    """Whether the evidence against the class is shown too."""
    overwrite: bool = False
    """Whether existing files may be written over."""

    @property
    def look(self) -> Look:
        """How the explanation is drawn."""
        return Look(**{field.name: getattr(self, field.name) for field in fields(Look)})


@dataclass(frozen=True, kw_only=True)
class MovingSettings(ExplanationSettings):
    """What the frames of the live loop and of a video share."""

    method: Method = "gradcam"
    """How the heatmap is computed."""

    @property
    def look(self) -> Look:
        """How the explanation is drawn: several classes side by side, unless a view was chosen."""
        look = super().look
        several = len(self.target_classes) > 1
        return replace(look, view="classes") if several and look.view == "overlay" else look


@dataclass(frozen=True, kw_only=True)
class Settings(MovingSettings):
    """What one run of the live loop was asked to do."""

    source: str = "0"
    """A camera's index or device path, a video, an image, a folder, a URL, or `demo`."""
    camera_size: tuple[int, int] | None = None
    """Width and height in pixels to ask the camera for; None: its best at full frame rate."""
    camera_fps: float | None = None
    """Frames per second to ask the camera for; None: 30."""
    reconnect_seconds: float = RECONNECT_SECONDS
    """Seconds in which a lost camera or stream may come back, in `RECONNECT`; 0: it ends the run
    at once."""
    check: int | None = None
    """One explanation in how many is checked by hiding its hottest region; None: none."""
    smooth: float | None = None
    """Seconds over which what does not really change is smoothed, 0: not at all; None:
    `DEFAULT_SMOOTHING`, or 0 where each frame is explained by itself."""
    full_screen: bool = False
    """Whether the window fills the screen."""
    track: bool = True
    """Whether the heatmap follows the image's motion between two explanations."""
    every_frame: bool = False
    """Whether each frame of a file is explained, shown and recorded exactly once."""
    headless: bool = False
    """Whether to run without a window."""
    record: Path | None = None
    """The video file to record the annotated image to, ending in one of `VIDEO_ENDINGS`."""
    predictions: Path | None = None
    """The JSON lines file to log every explanation to."""
    seconds: float | None = None
    """Seconds after the first frame at which to stop; None: no limit."""
    max_frames: int | None = None
    """Number of frames shown (or, headless, drawn) after which to stop; None: no limit."""

    @property
    def smoothing(self) -> float:
        """Over how many seconds is smoothed; 0: not at all."""
        if self.smooth is not None:
            return self.smooth
        return 0.0 if self.every_frame else DEFAULT_SMOOTHING


@dataclass(frozen=True, kw_only=True)
class StillsSettings(ExplanationSettings):
    """Which images are explained, and what is written about each."""

    paths: tuple[str, ...] = ()
    """Files, folders and patterns."""
    output: Path | None = None
    """The folder to write to, made where it is missing; None: beside each image."""
    heatmap: bool = False
    """Whether the heatmap is written, as a grey image and as an array."""
    json: bool = False
    """Whether what the network says is written."""
    panel: bool = False
    """Whether image, heatmap, overlay and probabilities are written in one image."""
    guided: bool = False
    """Whether the heatmap, multiplied by guided backpropagation, is written as an image."""
    more_layers: tuple[str, ...] = ()
    """Target layers beside `layer`: the maps of all are averaged."""
    feature_maps: Animation | None = None
    """In which form the feature maps are shown one by one; None: not."""
    maps: int = 32
    """How many of them: the strongest."""
    order: MapOrder = "weight"
    """In which order they are shown."""
    batch: int | None = None
    """How many images are explained at once; None: by the device and its memory."""


@dataclass(frozen=True, kw_only=True)
class VideoSettings(MovingSettings):
    """Which video file is explained, and into which one."""

    input: Path
    """The video."""
    output: Path
    """The file to write, ending in one of `VIDEO_ENDINGS` but `.avi`."""
    start: Fraction | None = None
    """What is shown earlier is left out, in seconds; None: nothing."""
    end: Fraction | None = None
    """What is shown then or later is left out, in seconds; None: nothing."""
    audio: bool = True
    """Whether the sound is copied."""
    smooth: float = 0.0
    """Seconds over which what does not really change is smoothed; 0: not at all."""
    batch: int | None = None
    """How many frames are explained at once; None: by the device and its memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings(NetworkSettings):
    """Which images and methods are evaluated, and how finely."""

    folder: Path
    """Images, directly or in one folder for each class."""
    truth: Path | None = None
    """What the images show: a CSV file or a JSON object; None: what their folders are called."""
    methods: tuple[StillMethod, ...] = ()
    """How heatmaps are computed; none: all of `METHODS`."""
    more_layers: tuple[str, ...] = ()
    """Target layers beside `layer`: the maps of all are averaged."""
    steps: int = 20
    """In how many steps an image is deleted and inserted, in `EVALUATION_STEPS`."""
    batch: int | None = None
    """How many images are scored at once; None: by the device and its memory."""
    json: Path | None = None
    """The file to write all figures to."""
    overwrite: bool = False
    """Whether an existing file may be written over."""
