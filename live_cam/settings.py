"""Every default and range of the program, once.

`live_cam.cli` derives its options from here. This module imports neither torch nor OpenCV, so
that `live-cam --help` is instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path


class Range(NamedTuple):
    """A closed range of valid values."""

    low: float
    high: float


ALPHA: Final = Range(0.0, 1.0)
ALPHA_STEP: Final = 0.05
CAMERA_FPS: Final = Range(1.0, 1000.0)
CAMERA_SIDE: Final = Range(16, 16384)
RECONNECT: Final = Range(0.0, 86_400.0)
RECONNECT_SECONDS: Final = 60.0
"""Long enough to notice that a cable is out and to put it back, or for a server to start anew; what
runs with nobody before it still ends by itself."""
COLORMAPS: Final = (
    "jet",
    "turbo",
    "viridis",
    "inferno",
    "magma",
    "plasma",
    "cividis",
    "hot",
    "parula",
)
DEVICES: Final = ("auto", "cpu", "cuda", "cuda:N", "mps", "xpu", "gpu", "npu")
ACCELERATORS: Final = ("gpu", "npu")
"""The devices that OpenVINO computes on beside the CPU: Intel's."""
ENGINES: Final = ("auto", "hook", "torch", "openvino")
PRECISIONS: Final = ("auto", "fp32", "fp16", "bf16", "int8")
OPENVINO_ONLY: Final = (*ACCELERATORS, "int8")
"""The devices and precisions that no other engine has."""
METHODS: Final = (
    "gradcam",
    "gradcam++",
    "hirescam",
    "xgradcam",
    "layercam",
    "gradcam-elementwise",
    "eigengradcam",
    "eigencam",
)
STILL_METHODS: Final = (*METHODS, "scorecam", "ablationcam")
"""These need a forward pass for each feature map."""
VIEWS: Final = ("overlay", "heatmap", "camera", "split", "grid", "classes", "maps")
FULL_FRAME_VIEWS: Final = ("overlay", "heatmap", "camera")
"""Those of one image, over which the label and the bars are laid."""
THEMES: Final = ("dark", "light", "none")
SHOWN_CLASSES: Final = 4
"""How many classes the view `classes` shows side by side, unless more were named."""
SHOWN_FEATURE_MAPS: Final = 16
FITS: Final = ("squash", "crop", "pad")
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
ANIMATIONS: Final = ("gif", "mp4")
MAP_ORDERS: Final = ("weight", "index")
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
    fit: str = "squash"
    """One of `FITS`: how a frame becomes the network's input."""
    device: str = "auto"
    """One of `DEVICES`, with a number for N."""
    precision: str = "auto"
    """One of `PRECISIONS`."""
    engine: str = "auto"
    """One of `ENGINES`; `auto`: the fastest exact one."""
    threads: int | None = None
    """CPU threads of the network; None: all, but for the one that draws while the network runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationSettings(NetworkSettings):
    """What is asked of the network, and how its answer is drawn."""

    target_classes: tuple[str, ...] = ()
    """Names or indices of classes to explain; none: the top class of each frame."""
    method: str = "gradcam"
    """One of `METHODS`."""
    counterfactual: bool = False
    """Whether the evidence against the class is shown too."""
    bars: bool = True
    """Whether the most probable classes are shown as bars."""
    box: bool = False
    """Whether a box is drawn around where the evidence lies."""
    theme: str = "dark"
    """One of `THEMES`."""
    alpha: float = 0.45
    """Weight of the heatmap's colours in the blended image, in `ALPHA`."""
    colormap: str = "jet"
    """One of `COLORMAPS`."""
    overwrite: bool = False
    """Whether existing files may be written over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ExplanationSettings):
    """What one run of the live loop was asked to do."""

    source: str = "0"
    """A camera's index or device path, a video, an image, a folder, a URL, or `demo`."""
    mirror: bool = False
    """Whether the image is drawn mirrored, as in a mirror. The network sees it unmirrored."""
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
    view: str = "overlay"
    """One of `VIEWS`."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """Target layers beside `layer`: the maps of all are averaged. `method` is one of
    `STILL_METHODS` here."""
    feature_maps: str | None = None
    """One of `ANIMATIONS`: in which form the feature maps are shown one by one; None: not."""
    maps: int = 32
    """How many of them: the strongest."""
    order: str = "weight"
    """One of `MAP_ORDERS`: in which order they are shown."""
    batch: int | None = None
    """How many images are explained at once; None: by the device and its memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSettings(ExplanationSettings):
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
    view: str = "overlay"
    """One of `VIEWS`."""
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
    methods: tuple[str, ...] = ()
    """Names in `STILL_METHODS`; none: all of `METHODS`."""
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
