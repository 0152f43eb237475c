"""Steps that make or change OpenVINO models."""
