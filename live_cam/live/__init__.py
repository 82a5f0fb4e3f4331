"""The live loop: schedule, window, keys, pointer, limits."""
