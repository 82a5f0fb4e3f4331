"""Class activation maps: from activations and gradients to a map, and how good it is."""
