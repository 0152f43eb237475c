"""Steps that make or change ONNX files."""
