"""Steps that train: fine-tuning, distillation, quantization-aware training."""
