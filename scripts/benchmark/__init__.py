"""The benchmark: our engines, other libraries, and the machine's limits."""
