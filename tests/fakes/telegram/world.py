"""What Telegram knows: users, chats, messages and the updates that wait for the bot.

Pure state; it knows neither HTTP nor who asks. It can be written to a file and read again.
"""

import re
from typing import Literal

import msgspec

from tests.fakes.faults import Json, JsonObject, now
from tests.fakes.telegram.markup import Entity, utf16

TEXT_MAX = 4096
UNWANTED_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}
_PATTERNS = (
    ("bot_command", re.compile(r"(?<!\S)/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?")),
    ("mention", re.compile(r"(?<![\w@])@\w{3,32}")),
    ("url", re.compile(r"https?://[^\s<>\"]+")),
)

Kind = Literal[
    "photo", "voice", "document", "sticker", "video", "audio", "location", "contact", "dice"
]
_MEDIA: dict[Kind, JsonObject] = {
    "photo": {"width": 90, "height": 90},
    "voice": {"duration": 2, "mime_type": "audio/ogg"},
    "document": {"file_name": "notes.txt", "mime_type": "text/plain"},
    "sticker": {
        "type": "regular",
        "width": 512,
        "height": 512,
        "is_animated": False,
        "is_video": False,
        "emoji": "\N{THUMBS UP SIGN}",
    },
    "video": {"width": 320, "height": 240, "duration": 3, "mime_type": "video/mp4"},
    "audio": {"duration": 3, "mime_type": "audio/mpeg", "title": "Song"},
    "location": {"latitude": 31.23, "longitude": 121.47},
    "contact": {"phone_number": "+15550100", "first_name": "Ann"},
    "dice": {"emoji": "\N{GAME DIE}", "value": 4},
}
_WITHOUT_FILE = {"location", "contact", "dice"}


class User(msgspec.Struct, omit_defaults=True):
    """A user or a bot."""

    id: int
    first_name: str
    username: str | None = None
    language_code: str | None = None
    is_bot: bool = False
    has_blocked_bot: bool = False

    def to_json(self) -> JsonObject:
        """Return Telegram's User."""
        optional: dict[str, str | None] = {
            "username": self.username,
            "language_code": self.language_code,
        }
        return {
            "id": self.id,
            "is_bot": self.is_bot,
            "first_name": self.first_name,
            **{key: value for key, value in optional.items() if value is not None},
        }


class Message(msgspec.Struct):
    """A message as Telegram stores it, and every text it had."""

    id: int
    sender: int
    body: JsonObject
    history: list[str]
    deleted: bool = False


class Button(msgspec.Struct, frozen=True, omit_defaults=True):
    """An inline button."""

    text: str
    callback_data: str | None = None
    url: str | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a user sees it now: `history` is every text it had, the present one last."""

    id: int
    sender: int
    from_bot: bool
    text: str
    edits: int
    history: list[str]
    buttons: list[list[Button]] = []
    reply_to: int | None = None
    entities: list[Entity] = []


class Chat(msgspec.Struct):
    """A chat with its messages in order."""

    id: int
    type: Literal["private", "group", "supergroup"]
    name: str
    messages: dict[int, Message] = {}
    action: str = ""
    draft: str | None = None
    draft_id: int = 0
    drafts: int = 0
    moved_to: int = 0


class Webhook(msgspec.Struct):
    """Where updates are pushed."""

    url: str = ""
    secret_token: str = ""
    max_connections: int = 40
    last_error_date: int | None = None
    last_error_message: str | None = None


class World(msgspec.Struct):
    """Everything that outlives the server's process."""

    bot: User
    privacy: bool = False
    users: dict[int, User] = {}
    chats: dict[int, Chat] = {}
    queue: list[JsonObject] = []
    sent: dict[int, JsonObject] = {}
    allowed: list[str] = []
    webhook: Webhook = msgspec.field(default_factory=Webhook)
    commands: JsonObject = {}
    queries: dict[str, str | None] = {}
    files: dict[str, bytes] = {}
    next_update: int = 700_000_001
    next_message: int = 1

    def user(self, user_id: int) -> User:
        """Return a user, made on first sight."""
        if user_id not in self.users:
            self.users[user_id] = User(
                id=user_id, first_name=f"User {user_id}", username=f"user{user_id}"
            )
        return self.users[user_id]

    def chat(self, chat_id: int, user_id: int) -> Chat:
        """Return a chat; a user's private chat with the bot is made on first sight."""
        if chat_id not in self.chats:
            if chat_id != user_id:
                raise LookupError(f"no group {chat_id}: add it first")
            self.chats[chat_id] = Chat(chat_id, "private", self.user(user_id).first_name)
        return self.chats[chat_id]

    def chat_json(self, chat: Chat) -> JsonObject:
        """Return Telegram's Chat."""
        if chat.type != "private":
            return {"id": chat.id, "title": chat.name, "type": chat.type}
        user = self.users[chat.id]
        named: JsonObject = {"username": user.username} if user.username else {}
        return {"id": chat.id, "first_name": user.first_name, **named, "type": "private"}

    def add_message(self, chat: Chat, sender: User, content: JsonObject) -> Message:
        """Store a new message; supergroups count for themselves, as Telegram's do."""
        if chat.type == "supergroup":
            number = max(chat.messages, default=0) + 1
        else:
            number = self.next_message
            self.next_message += 1
        body: JsonObject = {
            "message_id": number,
            "from": sender.to_json(),
            "chat": self.chat_json(chat),
            "date": int(now()),
            **content,
        }
        message = Message(number, sender.id, body, [_text(content)])
        chat.messages[number] = message
        return message

    def change_message(self, message: Message, content: JsonObject) -> None:
        """Replace a message's text, entities and buttons."""
        for key in ("text", "entities", "reply_markup"):
            message.body.pop(key, None)
        message.body = {**message.body, **content, "edit_date": int(now())}
        message.history.append(_text(content))

    def add_update(self, kind: str, content: JsonObject) -> int:
        """Queue an update if the bot wants its kind; return its id, 0 if it is not wanted."""
        wanted = kind in self.allowed if self.allowed else kind not in UNWANTED_BY_DEFAULT
        if not wanted:
            return 0
        update: JsonObject = {"update_id": self.next_update, kind: content}
        self.queue.append(update)
        self.sent[self.next_update] = update
        self.next_update += 1
        return self.next_update - 1

    def confirm(self, offset: int) -> None:
        """Forget the updates before `offset`; a negative one keeps that many at the end."""
        if offset < 0:
            del self.queue[: max(0, len(self.queue) + offset)]
        elif offset:
            self.queue = [update for update in self.queue if update_id(update) >= offset]

    def reply_json(self, chat: Chat, message_id: int) -> JsonObject:
        """Return a message as it is embedded in a reply to it."""
        body = chat.messages[message_id].body
        return {key: value for key, value in body.items() if key != "reply_to_message"}

    def media(self, kind: Kind, content: bytes) -> JsonObject:
        """Store a file and return the message field that names it."""
        described = dict(_MEDIA[kind])
        if kind in _WITHOUT_FILE:
            return {kind: described}
        number = len(self.files) + 1
        name = f"{kind}s/file_{number}"
        self.files[name] = content
        described |= {
            "file_id": file_id(name),
            "file_unique_id": f"u{number}",
            "file_size": len(content),
        }
        return {kind: [described] if kind == "photo" else described}

    def shown(self, chat_id: int) -> list[Shown]:
        """Return a chat as a user sees it."""
        chat = self.chats.get(chat_id)
        if chat is None:
            return []
        return [
            _shown(message, self.bot.id)
            for message in chat.messages.values()
            if not message.deleted
        ]


def find_chat(world: World, chat_id: str) -> int | None:
    """Return the chat a bot means, if there is one."""
    number = int(chat_id) if re.fullmatch(r"-?\d+", chat_id) else None
    return number if number in world.chats else None


def file_id(name: str) -> str:
    """Return the id under which a stored file is known to the bot."""
    return f"AgAC-{name.replace('/', '-')}"


def update_id(update: JsonObject) -> int:
    """Return an update's number."""
    number = update["update_id"]
    if not isinstance(number, int):
        raise TypeError(number)
    return number


def find_entities(text: str) -> list[Json]:
    """Find what Telegram marks by itself: commands, mentions and addresses."""
    found: list[Json] = []
    taken: list[range] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() in span for span in taken):
                continue
            taken.append(range(*match.span()))
            offset, length = utf16(text[: match.start()]), utf16(match[0])
            found.append({"type": kind, "offset": offset, "length": length})
    return found


def _text(content: JsonObject) -> str:
    return str(content.get("text", content.get("caption", "")))


class _Markup(msgspec.Struct):
    inline_keyboard: list[list[Button]] = []


class _Reply(msgspec.Struct):
    message_id: int


class _Seen(msgspec.Struct):
    reply_markup: _Markup = msgspec.field(default_factory=_Markup)
    reply_to_message: _Reply | None = None
    entities: list[Entity] = []


def _shown(message: Message, bot_id: int) -> Shown:
    seen = msgspec.convert(message.body, _Seen)
    return Shown(
        id=message.id,
        sender=message.sender,
        from_bot=message.sender == bot_id,
        text=message.history[-1],
        edits=len(message.history) - 1,
        history=message.history,
        buttons=seen.reply_markup.inline_keyboard,
        reply_to=seen.reply_to_message.message_id if seen.reply_to_message else None,
        entities=seen.entities,
    )
