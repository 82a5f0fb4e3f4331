"""The benchmark: our engines, their peers, and what the machine leaves possible."""
