"""Threads, passing values between them, timing, imports and text, independent of the domain."""
