#!/usr/bin/env bash
# PyAV: closing an output container does not end its encoder's threads.
#
# Expected: after `container.close()` a recording is over, and so are the threads that libx264 started
# for it, as a closed file holds no buffer. (Guess written down first: they would go with close(), or
# at the latest with the container.)
#
# What happens: they live as long as anybody refers to the stream that `add_stream` returned. Neither
# flushing the encoder, nor close(), nor dropping the container ends them; dropping the stream does,
# at once and without the garbage collector.
#
# Version: av 18.1.0 (its wheel brings FFmpeg and libx264), numpy 2.3.5, Python 3.11, Linux.
#
# Why it matters: a traceback refers to the frames it passed through, and they refer to the stream.
# A program that keeps the exception of a failed recording (a full disk), to raise it in another
# thread, keeps an idle encoder and its threads with it; after a few failed recordings the threads
# add up, more of them the more cores there are. live_cam did so until a closed file released its
# error (tests/record/test_outputs.py,
# test_the_threads_of_an_encoder_end_with_the_recording_that_failed).
#
# Output seen (the number of threads depends on the cores; only the pattern is checked):
#   recording: more threads than before
#   flushed: more threads than before
#   closed: more threads than before
#   container dropped: more threads than before
#   stream dropped: as before
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.3.5
cat >"$folder/threads.py" <<'PYTHON'
import gc
import os
import sys

import av
import numpy as np

gc.disable()
BEFORE = len(os.listdir("/proc/self/task"))


def report(moment):
    now = len(os.listdir("/proc/self/task"))
    print(f"{moment}: {'more threads than before' if now > BEFORE else 'as before'}")


container = av.open(sys.argv[1], "w")
stream = container.add_stream("libx264", rate=30)
stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
stream.thread_count = 4
for index in range(5):
    frame = av.VideoFrame.from_ndarray(np.zeros((720, 1280, 3), np.uint8), format="bgr24")
    frame.pts = index
    container.mux(stream.encode(frame))
report("recording")
container.mux(stream.encode(None))
report("flushed")
container.close()
report("closed")
del container
report("container dropped")
del stream
report("stream dropped")
PYTHON
"$folder/venv/bin/python" "$folder/threads.py" "$folder/out.mp4" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
recording: more threads than before
flushed: more threads than before
closed: more threads than before
container dropped: more threads than before
stream dropped: as before
SEEN
