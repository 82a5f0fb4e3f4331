"""How fast explanations are on this machine, and how close to what the machine can do at all.

- `contest`: runs ways to explain against each other, frame by frame in turn.
- `entries`: which of the project's engines take part here, opened and tried.
- `inputs`: the network and the frames that they are measured on.
- `limits`: the machine's measured limits, and what they leave possible for a network.
- `machine`: the machine's name.
- `short`: all of it for users, in a minute: `live-cam bench`.
"""
