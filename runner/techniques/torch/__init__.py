"""Steps whose result PyTorch runs: TorchScript, AOTInductor, bfloat16 and dynamic int8."""
