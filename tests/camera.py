"""A camera with sound: GStreamer's RTSP server, run by the system's Python: FILE.wav [PORT [USER:PASSWORD]]."""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

path, port, *logins = sys.argv[1:]
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory()
sound = f"filesrc location={path} ! wavparse ! audioconvert ! audioresample"
factory.set_launch(f"( {sound} ! mulawenc ! rtppcmupay name=pay0 pt=0 )")  # 8 kHz, as most cameras have it
for login in logins:
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_digest(*login.split(":", 1), token)
    server.set_auth(auth)
    permitted = "user, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
    factory.add_role_from_structure(Gst.Structure.new_from_string(permitted))
server.get_mount_points().add_factory("/stream", factory)
if server.attach(None) == 0:
    sys.exit("the port is taken")
GLib.MainLoop().run()
