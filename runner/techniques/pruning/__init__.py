"""Steps that remove parts of a model: heads, neurons, layers, weights, ranks or tokens."""
