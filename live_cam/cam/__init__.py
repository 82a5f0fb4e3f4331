"""Activations and gradients to a map: the hook that cuts the tape, the methods, metrics."""
