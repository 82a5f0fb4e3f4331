"""Which network explains: families, weights, input, device and precision, target layer."""
