"""Text as files hold it: bytes that are not UTF-8 are kept, each as the half of a pair that no text in UTF-8 holds."""


def decoded(text: bytes) -> str:
    """Return bytes as text, of which no two become the same."""
    return text.decode(errors="surrogateescape")


def encoded(text: str) -> bytes:
    """Return the bytes that a text stands for."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # halves of other pairs, which arrays of text may hold
        return text.encode(errors="surrogatepass")
