"""Steps that make GGUF files, which llama.cpp runs."""
