"""Steps that stay in PyTorch: TorchScript, AOTInductor, precision."""
