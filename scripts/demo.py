"""Sets everything up and runs the demo, in a window or, without a display, to `demo.mp4`.

It needs only Python 3.10 or newer. Arguments are passed to `live-cam demo`.
"""

from __future__ import annotations

import subprocess
import sys

from environment import prepare

if __name__ == "__main__":
    python = prepare("demo")
    try:
        code = subprocess.call([str(python), "-m", "live_cam", "demo", *sys.argv[1:]])
    except KeyboardInterrupt:
        code = 0
    sys.exit(code)
