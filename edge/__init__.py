"""affectd on the device: from sound to an MQTT event that says how a person sounded, and why."""

import os

__version__ = "0.1.0"

# Before numpy is imported: the products here are too small to share, and OpenBLAS's idle threads spin.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Before onnxruntime is imported, and whatever was set: its wheels send telemetry to Microsoft otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
