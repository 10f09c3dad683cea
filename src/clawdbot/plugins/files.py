"""Files in and out: they lie in the call's own folder, which ends with the call."""


class File:
    """A file of this call; `open(file)` works, and a file that a function returns is handed out."""

    def __init__(self, name: str, data: bytes | str | None = None) -> None:
        """Name a file of the call's folder; with data, write it."""
        self.name = name.rsplit("/", 1)[-1]
        if data is not None:
            with open(self.name, "wb") as file:
                file.write(data.encode() if isinstance(data, str) else data)

    def __fspath__(self) -> str:
        """Give its path, relative to the call's folder."""
        return self.name
