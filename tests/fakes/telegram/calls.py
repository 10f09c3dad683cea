"""What the bot's methods are called with, read as leniently as Telegram reads it.

Parameters come from a query, a form or JSON, so numbers may be strings and lists JSON in strings.
"""

import re
from typing import TypeVar

import msgspec

from tests.fakes.faults import JsonObject
from tests.fakes.telegram.markup import Entity

P = TypeVar("P", bound=msgspec.Struct)

SECRET_MAX = 256

NESTED = ("reply_markup", "reply_parameters", "entities", "commands", "scope", "allowed_updates")


class Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The method is refused with Telegram's code and words."""

    def __init__(
        self, code: int, description: str, retry_after: int = 0, moved_to: int = 0
    ) -> None:
        """Hold what Telegram answers."""
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after
        self.moved_to = moved_to


def bad(description: str) -> Refused:
    """Return a 400."""
    return Refused(400, f"Bad Request: {description}")


class Reply(msgspec.Struct):
    """ReplyParameters."""

    message_id: int
    allow_sending_without_reply: bool = False


class Text(msgspec.Struct):
    """The parameters that every method with a text shares."""

    chat_id: int | str = ""
    text: str = ""
    parse_mode: str = ""
    entities: list[Entity] = []
    reply_markup: JsonObject | None = None
    message_thread_id: int | None = None


class SendMessage(Text):
    """sendMessage."""

    reply_parameters: Reply | None = None
    reply_to_message_id: int | None = None
    allow_sending_without_reply: bool = False


class OneMessage(Text):
    """editMessageText and deleteMessage."""

    message_id: int = 0


class SendDraft(Text):
    """sendMessageDraft."""

    draft_id: int = 0
    can_stop: bool = False


class SendAction(msgspec.Struct):
    """sendChatAction."""

    chat_id: int | str = ""
    action: str = ""


class BotCommand(msgspec.Struct):
    """BotCommand."""

    command: str
    description: str


class SetCommands(msgspec.Struct):
    """setMyCommands."""

    commands: list[BotCommand]
    language_code: str = ""


class AnswerQuery(msgspec.Struct):
    """answerCallbackQuery."""

    callback_query_id: str = ""
    text: str = ""


class GetFile(msgspec.Struct):
    """getFile."""

    file_id: str = ""


class GetUpdates(msgspec.Struct):
    """getUpdates."""

    offset: int = 0
    limit: int = 100
    timeout: int = 0
    allowed_updates: list[str] | None = None


class SetWebhook(msgspec.Struct):
    """setWebhook and deleteWebhook."""

    url: str = ""
    secret_token: str = ""
    max_connections: int = 40
    allowed_updates: list[str] | None = None
    drop_pending_updates: bool = False


def read(body: JsonObject, kind: type[P]) -> P:
    """Read a method's parameters, which may be strings and hold JSON in strings."""
    opened = dict(body)
    for name in NESTED:
        value = opened.get(name)
        if isinstance(value, str):
            try:
                opened[name] = msgspec.json.decode(value) if value else None
            except msgspec.DecodeError as error:
                raise bad(f"can't parse {name} JSON object") from error
            if opened[name] is None:
                del opened[name]
    try:
        return msgspec.convert(opened, kind, strict=False)
    except msgspec.ValidationError as error:
        raise bad(f"can't parse parameters: {error}") from error


def check_webhook(call: SetWebhook) -> None:
    """Refuse the webhooks that Telegram refuses; plain HTTP is allowed on loopback alone."""
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", call.url):
        raise bad("invalid webhook URL specified")
    if len(call.secret_token) > SECRET_MAX:
        raise bad("secret token is too long")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", call.secret_token):
        raise bad("secret token contains unallowed characters")
    found = re.match(r"(https?)://([^:/]+)(?::(\d+))?", call.url)
    if found is None or found[2] in ("127.0.0.1", "localhost"):
        return
    if found[1] != "https":
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    if found[3] not in (None, "443", "80", "88", "8443"):
        raise bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
