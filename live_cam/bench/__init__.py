"""How fast explanations are on this machine, and how close to the machine's own limits.

- `contest`: times engines against each other, frame by frame in turn.
- `entries`: the project's engines that run on this machine.
- `inputs`: the network and the frames to measure on.
- `limits`: the machine's measured limits, and the time they allow for a network.
- `machine`: a description of the machine.
- `short`: the benchmark for users, `live-cam bench`.
"""
