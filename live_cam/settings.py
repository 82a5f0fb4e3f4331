"""Every default and range of the program, once.

`live_cam.cli` derives its options from here. This module imports neither torch nor OpenCV, so
that `live-cam --help` is instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Range(NamedTuple):
    """A closed range of valid values."""

    low: float
    high: float


ALPHA: Final = Range(0.0, 1.0)
ALPHA_STEP: Final = 0.05
CAMERA_FPS: Final = Range(1.0, 1000.0)
CAMERA_SIDE: Final = Range(16, 16384)
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
VIEWS: Final = ("overlay", "heatmap", "camera", "split", "grid", "classes", "maps")
FULL_FRAME_VIEWS: Final = ("overlay", "heatmap", "camera")
"""Those of one picture, over which the label and the bars are laid."""
SHOWN_CLASSES: Final = 4
"""How many classes the view `classes` shows side by side, unless more were named."""
SHOWN_FEATURE_MAPS: Final = 15
FITS: Final = ("squash", "crop", "pad")
CHECK_EVERY: Final = 10
"""One explanation in how many is checked, where the user says no number."""
DEFAULT_SMOOTHING: Final = 1.0
SMOOTHING: Final = Range(0.0, 60.0)
MOST_PIXELS: Final = 1 << 27
"""Of a picture: 134 million, of which phones' best cameras make 108. More take gigabytes, and a few
bytes are enough to claim them."""
MOST_VIDEO_PIXELS: Final = 1 << 26
"""Of a video's picture, of which decoders hold dozens: twice 8K."""
THREADS: Final = Range(1, 256)
"""Of a network. Where the system refuses one of them, the process ends at once."""
VIDEO_ENDINGS: Final = (".mp4", ".mkv", ".avi")
TOP_K: Final = 5
EMBEDDED_MODEL: Final = "efficientnet_lite0"
"""The network whose weights come with a Python package: it needs no download."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one run of the live loop was asked to do."""

    source: str = "0"
    """A camera's index or device path, a video, a picture, a folder, a URL, or `demo`."""
    mirror: bool = False
    """Whether the picture is drawn mirrored, as in a mirror. The network sees it unmirrored."""
    camera_size: tuple[int, int] | None = None
    """Width and height in pixels to ask the camera for; None: its best at full frame rate."""
    camera_fps: float | None = None
    """Frames per second to ask the camera for; None: 30."""
    model: str = "vgg19"
    """The network's name in torchvision, or `efficientnet_lite0`."""
    fallback: bool = False
    """Whether the embedded network steps in, with a sentence, when weights cannot be had."""
    layer: str | None = None
    """Dotted name of the target layer; None: found from the network itself."""
    weights: Path | None = None
    """A state dict, `.pth` or `.safetensors`; None: torchvision's pretrained weights."""
    labels: Path | None = None
    """One label a line, or a JSON list or index map; None: the names of ImageNet's classes."""
    target_classes: tuple[str, ...] = ()
    """Names or indices of classes to explain; none: the top class of each frame."""
    fit: str = "squash"
    """One of `FITS`: how a frame becomes the network's input."""
    check: int | None = None
    """One explanation in how many is checked by hiding its hottest region; None: none."""
    smooth: float | None = None
    """Seconds over which what does not really change is smoothed, 0: not at all; None:
    `DEFAULT_SMOOTHING`, or 0 where each frame is explained by itself."""
    method: str = "gradcam"
    """One of `METHODS`."""
    view: str = "overlay"
    """One of `VIEWS`."""
    counterfactual: bool = False
    """Whether the evidence against the class is shown too."""
    bars: bool = True
    """Whether the most probable classes are shown as bars."""
    box: bool = False
    """Whether a box is drawn around where the evidence lies."""
    full_screen: bool = False
    """Whether the window fills the screen."""
    device: str = "auto"
    """One of `DEVICES`, with a number for N."""
    precision: str = "auto"
    """One of `PRECISIONS`."""
    engine: str = "auto"
    """One of `ENGINES`; `auto`: the fastest exact one."""
    threads: int | None = None
    """CPU threads of the network; None: all but the one that draws, or all where each frame waits
    for its explanation."""
    track: bool = True
    """Whether the heatmap follows the picture's motion between two explanations."""
    alpha: float = 0.45
    """Weight of the heatmap's colours in the blended picture, in `ALPHA`."""
    colormap: str = "jet"
    """One of `COLORMAPS`."""
    every_frame: bool = False
    """Whether each frame of a file is explained, shown and recorded exactly once."""
    headless: bool = False
    """Whether to run without a window."""
    record: Path | None = None
    """The video file to record the annotated picture to, ending in one of `VIDEO_ENDINGS`."""
    overwrite: bool = False
    """Whether existing files may be written over."""
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
