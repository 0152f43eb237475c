"""Keep OpenVINO and NNCF from sending usage statistics when they are imported.

The only switch is a file in the user's home. They send nothing if the package openvino_telemetry is missing.
"""

from __future__ import annotations

import sys


def hide_openvino_telemetry() -> None:
    """Let `import openvino_telemetry` fail in this process. Call it before openvino or nncf are imported."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Python treats None as a missing module
