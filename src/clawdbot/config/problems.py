"""What is wrong with the settings, collected so that the user reads all of it at once.

Never holds a value: what stands where a setting is expected may be a secret.
"""

from difflib import get_close_matches

from msgspec import Struct, field

from clawdbot.domain.errors import SettingsInvalid, Told
from clawdbot.domain.text import say


class Problems(Struct, frozen=True):
    """The list; each with its place (`clawdbot.yaml:3`; or none), an English sentence, values.

    A `reason` is the system's own words and `this` what fits; the catalogue may know them too.
    """

    found: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def say(self, where: str, english: str, /, **values: str) -> None:
        """Note a problem."""
        self.found.append((where, english, values))

    def unknown(self, where: str, key: str, known: list[str]) -> None:
        """Note a name that nobody knows (the last part of `key`), with the nearest known one."""
        *parents, name = key.split(".")
        if nearest := get_close_matches(name, known, n=1):
            meant = ".".join([*parents, nearest[0]])
            self.say(where, "{key}: unknown; did you mean {meant}?", key=key, meant=meant)
        else:
            names = ", ".join(sorted(known)) or "-"
            self.say(where, "{key}: unknown; known here: {names}", key=key, names=names)

    def settle(self) -> None:
        """Raise SettingsInvalid with a line for each problem, if any."""
        if self.found:
            raise SettingsInvalid(tell=self.told)

    def told(self, language: str) -> Told:
        """Tell the problems in a language: a line for each, and by the settings' keys."""
        faults = {
            values["key"]: self._line(language, text, values)
            .removeprefix(values["key"])
            .lstrip(":： ")
            for _, text, values in self.found
            if "key" in values
        }
        return "\n".join(self.lines(language)), faults

    def lines(self, language: str) -> list[str]:
        """Write a line for each problem, in the files' order."""
        return [
            f"{where}: {self._line(language, text, values)}".removeprefix(": ")
            for where, text, values in sorted(self.found, key=lambda found: _order(found[0]))
        ]

    def _line(self, language: str, english: str, values: dict[str, str]) -> str:
        spoken = {k: say(language, v) if k in {"reason", "this"} else v for k, v in values.items()}
        return say(language, english, **spoken)


def _order(where: str) -> tuple[str, int]:
    file, _, line = where.partition(":")
    return file, int(line or 0)
