"""Slash commands that are answered by a turn: fixed texts and small choices, no model.

Commands that must not wait for a turn (/stop, /new) act in `gateway.inbox` instead.
"""

from clawdbot.agent.context import Scene
from clawdbot.domain.ports import Tx
from clawdbot.domain.text import say
from clawdbot.store import conversations, usage

_WEEK_S = 7 * 86400.0


class Commands:
    """Answers /start, /help, /model and /usage."""

    def __init__(self, routes: dict[str, str]) -> None:
        """Know the routes by name, with what each stands for (`provider model`)."""
        self._routes = routes

    def find(self, scene: Scene) -> str:
        """Name the command that a turn's words are, empty where they are none."""
        first = scene.words[0].text.split(maxsplit=1) if scene.words else []
        name = first[0].lower() if first else ""
        return name if name in {"/start", "/help", "/model", "/usage"} else ""

    def run(self, tx: Tx, scene: Scene, name: str, now: float) -> str:
        """Answer a command in the journal's transaction."""
        match name:
            case "/start":
                return say(scene.language, "Hello, I am Clawdbot. Write to me, or send /help.")
            case "/help":
                return self._help(scene.language)
            case "/model":
                return self._model(tx, scene)
            case _:
                return self._usage(tx, scene, now)

    def _help(self, language: str) -> str:
        lines = (
            say(language, "Write what you want in your own words. Commands:"),
            "/new - " + say(language, "begin a new conversation"),
            "/stop - " + say(language, "stop the answer that is being written"),
            "/model - " + say(language, "show or choose the model"),
            "/usage - " + say(language, "what you used in the last seven days"),
            "/help - " + say(language, "this list"),
        )
        return "\n".join(lines)

    def _model(self, tx: Tx, scene: Scene) -> str:
        wish = scene.words[0].text.split()[1:]
        if not wish:
            lines = [f"- {name}: {target}" for name, target in self._routes.items()]
            current = say(scene.language, "In use: {route}", route=scene.route or "default")
            choose = say(scene.language, "Choose with /model NAME.")
            return "\n".join([current, *lines, choose])
        if wish[0] not in self._routes:
            return say(scene.language, "There is no route {route}.", route=wish[0])
        route = "" if wish[0] == "default" else wish[0]
        conversations.set_model(tx, scene.conversation, route)
        return say(scene.language, "This conversation now uses {route}.", route=wish[0])

    def _usage(self, tx: Tx, scene: Scene, now: float) -> str:
        rows = usage.of_user(tx, scene.user.id, now - _WEEK_S)
        if not rows:
            return say(scene.language, "Nothing used in the last seven days.")
        head = say(scene.language, "The last seven days:")
        line = "- {model}: {calls} calls, {tokens_in} tokens in, {tokens_out} out, ${cost}"
        lines = [
            say(
                scene.language,
                line,
                model=f"{each.provider} {each.model}".strip(),
                calls=each.calls,
                tokens_in=each.tokens_in,
                tokens_out=each.tokens_out,
                cost=f"{each.cost:.4f}",
            )
            for each in rows
        ]
        return "\n".join([head, *lines])
