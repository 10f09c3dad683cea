"""A text that does not show itself: in logs, errors and diagnostics it prints as asterisks."""

from hmac import compare_digest


class Secret:
    """A secret text; `.reveal()` is the one way to it, so that every use can be found."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself."""
        return self._text

    def __bool__(self) -> bool:
        """Tell whether there is a text at all."""
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (s.reveal().encode(errors="surrogatepass") for s in (self, other))
        return compare_digest(mine, theirs)

    def __hash__(self) -> int:
        """Hash like the text."""
        return hash(self._text)

    def __repr__(self) -> str:
        """Print no letter of it."""
        return "Secret(****)"

    def __str__(self) -> str:
        """Print no letter of it."""
        return "****"
