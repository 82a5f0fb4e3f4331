"""What of a source's name can be shown: a URL may hold a password."""

from __future__ import annotations


def masked(source: str) -> str:
    """Return a source's name that can be shown, of a URL without user, password and query.

    Whatever stands before the last `@` is taken for credentials, since a password with a slash in
    it, which is against the rules, must not be shown either; and also in what is no URL, but was
    to be one. The name of a file may have an `@`, but then no colon before it.
    """
    scheme, separator, rest = source.partition("://")
    if not separator:
        credentials, at, public = source.rpartition("@")
        return f"***@{public}" if at and ":" in credentials else source
    _, at, public = rest.rpartition("@")
    address, question, _ = public.partition("?")
    return f"{scheme}://{'***@' if at else ''}{address}{'?…' if question else ''}"
