"""Masking of credentials in source names, since a URL may contain a password."""

from __future__ import annotations


def masked(source: str) -> str:
    """Return a source's name for display; a URL loses its user, password and query.

    Everything before the last `@` counts as credentials: even an invalid password that contains a
    slash, and even in a malformed URL, must stay hidden. A file name may contain an `@`, but no
    colon before it.
    """
    scheme, separator, rest = source.partition("://")
    if not separator:
        credentials, at, public = source.rpartition("@")
        return f"***@{public}" if at and ":" in credentials else source
    _, at, public = rest.rpartition("@")
    address, question, _ = public.partition("?")
    return f"{scheme}://{'***@' if at else ''}{address}{'?…' if question else ''}"
