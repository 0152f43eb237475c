"""Steps that train a model: fine-tuning, distillation, quantization-aware training and static embeddings."""
