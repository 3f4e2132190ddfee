"""An RTSP camera, run by Debian's own Python, which has GStreamer's bindings: PORT WIDTH HEIGHT FPS.

Says ``ready`` when it serves. Lines on stdin set its fault: ``good``, ``frozen`` (no frames), ``still`` (the
same frame again and again); the end of stdin ends the server.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PORT, WIDTH, HEIGHT, FPS = sys.argv[1:]
Gst.init(None)
state = {"fault": "good", "level": 0}


def push(source: Gst.Element) -> bool:
    if state["fault"] != "frozen":
        state["level"] += state["fault"] == "good"
        data = bytes([10 + state["level"] % 190]) * (int(WIDTH) * int(HEIGHT))
        if source.emit("push-buffer", Gst.Buffer.new_wrapped(data)) != Gst.FlowReturn.OK:
            return False
    return True


def configured(_factory: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia) -> None:
    source = media.get_element().get_child_by_name("frames")
    GLib.timeout_add(int(1000 / float(FPS)), push, source)


def listen(loop: GLib.MainLoop) -> None:
    for line in sys.stdin:
        state["fault"] = line.strip()
    loop.quit()


server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(PORT)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( appsrc name=frames is-live=true do-timestamp=true format=time "
    f"caps=video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT},framerate={FPS}/1 "
    "! videoconvert ! video/x-raw,format=I420 ! jpegenc quality=95 ! rtpjpegpay name=pay0 )"
)
factory.set_shared(True)
factory.connect("media-configure", configured)
server.get_mount_points().add_factory("/camera", factory)
if not server.attach(None):
    sys.exit(f"port {PORT} is taken")
loop = GLib.MainLoop()
threading.Thread(target=listen, args=(loop,), daemon=True).start()
sys.stdout.write("ready\n")
sys.stdout.flush()
loop.run()
