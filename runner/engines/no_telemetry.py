"""OpenVINO and NNCF send usage statistics whenever they are imported, unless told otherwise.

They have no switch for it but a file in the user's home; where the package that sends is missing, they do without.
"""

from __future__ import annotations

import sys


def hide_openvino_telemetry() -> None:
    """Let `import openvino_telemetry` fail in this process; to be called before openvino or nncf are imported."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # what Python itself says is missing
