"""The shapes of Telegram's Bot API, as far as we use them; unknown fields are ignored."""

from typing import Annotated

from msgspec import Meta, Raw, Struct, field

UPDATES = ("message", "edited_message", "callback_query")

Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Units = Annotated[int, Meta(ge=0, le=2**31)]


class User(Struct, frozen=True):
    """A person or a bot; ourselves where getMe tells it."""

    id: Id
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    language_code: str = ""


class Chat(Struct, frozen=True):
    """A place: private, group, supergroup or channel."""

    id: Id
    type: str
    title: str = ""


class Entity(Struct, frozen=True):
    """A marked part of a text, in UTF-16 units."""

    type: str
    offset: Units
    length: Units
    user: User | None = None


class Origin(Struct, frozen=True):
    """Who first wrote what was forwarded or quoted from elsewhere."""

    sender_user: User | None = None
    sender_user_name: str = ""
    sender_chat: Chat | None = None
    chat: Chat | None = None


class Excerpt(Struct, frozen=True):
    """The part of a message that a reply quotes."""

    text: str


class External(Struct, frozen=True):
    """The target of a reply, in another chat."""

    origin: Origin


class Message(Struct, frozen=True):
    """A message; in a reply's target and under a button, what is left of one."""

    message_id: Id
    chat: Chat
    sender: User | None = field(name="from", default=None)
    sender_chat: Chat | None = None
    is_automatic_forward: bool = False
    message_thread_id: Id = 0
    is_topic_message: bool = False
    text: str = ""
    entities: tuple[Entity, ...] = ()
    caption: str = ""
    caption_entities: tuple[Entity, ...] = ()
    forward_origin: Origin | None = None
    via_bot: User | None = None
    reply_to_message: "Message | None" = None
    external_reply: External | None = None
    quote: Excerpt | None = None
    media_group_id: str = ""
    migrate_to_chat_id: Id = 0
    migrate_from_chat_id: Id = 0


class Callback(Struct, frozen=True):
    """A button was pressed."""

    id: str
    sender: User = field(name="from")
    message: Message | None = None
    data: str = ""


class Update(Struct, frozen=True):
    """What happened; at most one of its fields is there."""

    update_id: Id
    message: Raw = Raw(b"")
    edited_message: Raw = Raw(b"")
    callback_query: Callback | None = None


class Parameters(Struct, frozen=True):
    """What else an error tells."""

    retry_after: float | None = None
    migrate_to_chat_id: Id = 0


class Answer(Struct, frozen=True):
    """Every method's answer."""

    ok: bool
    result: Raw = Raw(b"")
    error_code: int = 0
    description: str = ""
    parameters: Parameters = Parameters()


class HookInfo(Struct, frozen=True):
    """What getWebhookInfo answers: where it calls, the last time that it failed to reach us."""

    url: str = ""
    last_error_date: float = 0.0
    last_error_message: str = ""


class Key(Struct, frozen=True):
    """A button."""

    text: str
    callback_data: str


class Keyboard(Struct, frozen=True):
    """Buttons in rows."""

    inline_keyboard: list[list[Key]]


class Reply(Struct, frozen=True):
    """What a message answers, if it is still there."""

    message_id: int
    allow_sending_without_reply: bool = True


class Preview(Struct, frozen=True):
    """Whether Telegram fetches the addresses in a text."""

    is_disabled: bool


class Shown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """sendMessage or, with `message_id`, editMessageText."""

    chat_id: int
    text: str
    parse_mode: str = ""
    link_preview_options: Preview | None = None
    message_id: int = 0
    message_thread_id: int = 0
    reply_parameters: Reply | None = None
    reply_markup: Keyboard | None = None


class Sent(Struct, frozen=True):
    """What sendMessage answers."""

    message_id: Id
