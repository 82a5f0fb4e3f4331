"""The network: families, weights, input, device and precision, target layer."""
