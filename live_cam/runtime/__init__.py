"""Threads, values handed between them, timing, imports and texts: no word of the domain."""
