"""REST answers of every registered model and stage."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime else tells its makers of every graph, in a thread
