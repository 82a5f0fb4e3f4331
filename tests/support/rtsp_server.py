"""An RTSP camera: GStreamer's server, run by a Python that has its bindings; not a test.

usage: rtsp_server.py PORT WIDTHxHEIGHT USER PASSWORD     (serves rtsp://127.0.0.1:PORT/video)
"""

from __future__ import annotations

import sys

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

port, size, user, password = sys.argv[1:]
width, height = size.split("x")

Gst.init(None)
server = GstRtspServer.RTSPServer(address="127.0.0.1", service=port)
auth = GstRtspServer.RTSPAuth()
token = GstRtspServer.RTSPToken()
token.set_string("media.factory.role", "viewer")
auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
server.set_auth(auth)

factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( videotestsrc is-live=true pattern=ball ! video/x-raw,width={width},height={height},"
    "framerate=20/1 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20 "
    "! rtph264pay name=pay0 pt=96 )"
)
permissions = GstRtspServer.RTSPPermissions()
permissions.add_permission_for_role("viewer", "media.factory.access", True)
permissions.add_permission_for_role("viewer", "media.factory.construct", True)
factory.set_permissions(permissions)
factory.set_shared(True)
server.get_mount_points().add_factory("/video", factory)
if not server.attach(None):
    sys.exit("the port is taken")
sys.stdout.write("ready\n")
sys.stdout.flush()
GLib.MainLoop().run()
