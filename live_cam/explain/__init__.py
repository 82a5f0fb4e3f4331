"""Images and a question to explanations: live, in batches, with engines that may fail.

Called as a function, `live_cam.explain(image)` explains one image (see `live_cam.explain.front`).
"""

from live_cam.runtime.callable_package import make_callable

make_callable(__name__, "live_cam.explain.front")
