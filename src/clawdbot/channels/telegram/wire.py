"""Telegram's JSON to our values and back; pure. Facts are the Bot API's and its server's source.

Only what a sender wrote in this very message is their own: a reply's target, a forward, an inline
bot's text are others' words.
"""

import hashlib
import re
from html import escape
from typing import TypeVar

import msgspec
from msgspec import Raw

from clawdbot.channels.telegram import api
from clawdbot.domain import markup
from clawdbot.domain.errors import AuthLost, Gone, Moved, Refused, Retry, SendFailed, Unknown
from clawdbot.domain.inbound import Address, ChatKind, Inbound, InboundKind, Sender
from clawdbot.domain.markup import Begin, End, Style
from clawdbot.domain.messages import Part, Quote, Source, Text, Unreadable
from clawdbot.domain.ports import Outgoing

CHANNEL = "telegram"

_RAW_MAX_BYTES = 64 * 1024
_TEXT_MAX_BYTES = 32 * 1024  # of a message's source; what is seen has its own limit
_KEYS_IN_A_ROW = 3
# An animation is also a document, a venue also a location: the first one counts.
_KINDS = (  # noqa: SIM905 - a word a line would hide the others
    "animation audio checklist contact dice document game giveaway invoice paid_media photo poll"
    " rich_message sticker story venue location video video_note voice"
).split()
_COMMAND = re.compile(r"(/[A-Za-z0-9_]{1,64})(@\w+)?(?=\s|$)")
_GONE = re.compile(r"message to edit not found|message can't be edited|MESSAGE_ID_INVALID")
_EVENT = re.compile(rb'"update_id"\s*:\s*(\d{1,18})')
_TAGS = {
    Style.BOLD: "b",
    Style.ITALIC: "i",
    Style.STRIKE: "s",
    Style.CODE: "code",
    Style.BLOCK: "pre",
    Style.LINK: "a",
    Style.QUOTE: "blockquote",
}

T = TypeVar("T")


def parse(update: bytes, bot: api.User, account: str) -> Inbound:
    """Translate an update; what cannot be read becomes an unreadable delivery."""
    try:
        return _inbound(msgspec.json.decode(update, type=api.Update), bot, account)
    except (ValueError, RecursionError):  # bad JSON or UTF-8, another shape, too deep
        found = _EVENT.search(update)
        event = str(int(found[1])) if found else f"sha256:{hashlib.sha256(update).hexdigest()}"
        inbound = _empty(event, bot, account, InboundKind.UNREADABLE)
        return msgspec.structs.replace(inbound, raw=update[:_RAW_MAX_BYTES])


def updates(status: int, body: bytes, limit: int) -> list[bytes]:
    """Split what getUpdates answers; one update that spoils the whole is handed on as it is."""
    try:
        return [bytes(update) for update in answer(status, body, list[Raw])]
    except Unknown:
        if limit == 1 and _EVENT.search(body):
            return [body]
        raise


def answer(status: int, body: bytes, kind: type[T]) -> T:
    """Read the result of a method, or raise what Telegram decided.

    A 5xx is Unknown: Telegram also says 500 of a message that was sent and then lost sight of. What
    is not Telegram's JSON comes from something before it, of which 3xx and 4xx let nothing through.
    """
    try:
        found = msgspec.json.decode(body, type=api.Answer)
        if found.ok:
            return msgspec.json.decode(found.result, type=kind)
    except (ValueError, RecursionError) as error:
        decision = Retry if 300 <= status < 500 else Unknown
        raise decision(f"HTTP {status} without Telegram's answer.") from error
    raise _refusal(found)


def is_unmodified(refusal: Refused) -> bool:
    """Tell whether an edit was refused because it changes nothing."""
    return "message is not modified" in str(refusal)


def is_markup(refusal: Refused) -> bool:
    """Tell whether the markup was refused: "can't parse entities", ENTITIES_TOO_LONG."""
    return "entit" in str(refusal).lower()


def render(to: Address, message: Outgoing, *, ref: str = "", plain: bool = False) -> api.Shown:
    """Write a message, or what replaces the message `ref`; `plain` shows the markup itself."""
    html = "" if plain else _html(message.text)
    keys = [api.Key(button.label, button.token) for button in message.buttons]
    rows = [keys] if len(keys) <= _KEYS_IN_A_ROW else [[key] for key in keys]
    reply_to = "" if ref else message.reply_to
    return api.Shown(
        chat_id=int(to.chat),
        text=html or message.text,
        parse_mode="HTML" if html else "",
        # Telegram would fetch every address that a model writes, and tell it that we did.
        link_preview_options=api.Preview(is_disabled=True),
        message_id=int(ref or 0),
        message_thread_id=0 if ref else int(to.thread or 0),
        reply_parameters=api.Reply(int(reply_to)) if reply_to else None,
        reply_markup=api.Keyboard(rows) if keys else None,
    )


def _html(text: str) -> str:
    """Give HTML that Telegram accepts, or nothing where nothing would be seen of it."""
    pieces = markup.parse(text)
    if not any(isinstance(piece, str) and piece.strip() for piece in pieces):
        return ""
    html = "".join(map(_tagged, pieces))
    return html if len(html.encode()) <= _TEXT_MAX_BYTES else ""


def _tagged(piece: markup.Piece) -> str:
    match piece:
        case str():
            return escape(piece, quote=False)
        case Begin(Style.LINK, address):
            return f'<a href="{escape(address)}">'
        case Begin(Style.BLOCK, language) if language:
            return f'<pre><code class="language-{escape(language)}">'
        case End(Style.BLOCK, language) if language:
            return "</code></pre>"
        case Begin(style):
            return f"<{_TAGS[style]}>"
        case End(style):
            return f"</{_TAGS[style]}>"


def _refusal(found: api.Answer) -> SendFailed:
    said = found.description
    match found.error_code:
        case 401 | 404:  # 404 is how the server calls a token that cannot be one
            return AuthLost(f"Telegram refuses the bot's token: {said}")
        case 429:
            return Retry(said, after=found.parameters.retry_after)
        case code if code >= 500:
            return Unknown(said)
    if chat := found.parameters.migrate_to_chat_id:
        return Moved(said, chat=str(chat))
    return Gone(said) if _GONE.search(said) else Refused(said)


def _inbound(update: api.Update, bot: api.User, account: str) -> Inbound:
    event = str(update.update_id)
    if update.callback_query is not None:
        return _click(event, update.callback_query, bot, account)
    raw = bytes(update.message) or bytes(update.edited_message)
    if not raw:
        return _empty(event, bot, account, InboundKind.NOISE)
    message = msgspec.json.decode(raw, type=api.Message)
    kind = InboundKind.MESSAGE if update.message else InboundKind.EDIT
    parts = _parts(message, raw, bot)
    sender = message.sender
    is_person = sender is not None and not sender.is_bot and not message.is_automatic_forward
    target = _target(message)
    return Inbound(
        receiver=_receiver(bot),
        event=event,
        to=_address(message, account),
        chat=_chat(message),
        sender=_sender(sender),
        kind=kind if parts and is_person else InboundKind.NOISE,
        parts=parts,
        ref=str(message.message_id),
        reply_to=str(target.message_id) if target else "",
        addressed=_is_addressed(message, bot),
        album=message.media_group_id,
        title=message.chat.title,
        was=_was(message),
    )


def _click(event: str, click: api.Callback, bot: api.User, account: str) -> Inbound:
    if click.message is None:
        return _empty(event, bot, account, InboundKind.NOISE)
    return Inbound(
        receiver=_receiver(bot),
        event=event,
        to=_address(click.message, account),
        chat=_chat(click.message),
        sender=_sender(click.sender),
        kind=InboundKind.CLICK,
        ref=str(click.message.message_id),
        token=click.data,
        click=click.id,
    )


def _empty(event: str, bot: api.User, account: str, kind: InboundKind) -> Inbound:
    return Inbound(
        receiver=_receiver(bot),
        event=event,
        to=Address(channel=CHANNEL, account=account, chat=""),
        chat=ChatKind.DIRECT,
        sender=Sender(id=""),
        kind=kind,
    )


def _receiver(bot: api.User) -> str:
    return f"{CHANNEL}:{bot.id}"


def _address(message: api.Message, account: str) -> Address:
    # Outside of topics a thread is only a chain of replies, and cannot be sent to.
    thread = message.message_thread_id if message.is_topic_message else 0
    return Address(
        channel=CHANNEL,
        account=account,
        chat=str(message.migrate_to_chat_id or message.chat.id),
        thread=str(thread or ""),
        group=_chat(message) is ChatKind.GROUP,
    )


def _was(message: api.Message) -> str:
    """Name the id that a chat had before it became a supergroup; both chats tell of it."""
    before = message.chat.id if message.migrate_to_chat_id else message.migrate_from_chat_id
    return str(before or "")


def _chat(message: api.Message) -> ChatKind:
    return ChatKind.DIRECT if message.chat.type == "private" else ChatKind.GROUP


def _sender(user: api.User | None) -> Sender:
    if user is None:
        return Sender(id="")
    return Sender(id=str(user.id), name=_name(user), language=user.language_code)


def _name(user: api.User) -> str:
    return f"{user.first_name} {user.last_name}".strip()


def _target(message: api.Message) -> api.Message | None:
    """Find what a message answers; in a topic everything answers its first message."""
    target = message.reply_to_message
    if target is None or (
        message.is_topic_message and target.message_id == message.message_thread_id
    ):
        return None
    return target


def _parts(message: api.Message, raw: bytes, bot: api.User) -> tuple[Part, ...]:
    words = message.text or message.caption
    origin = message.forward_origin
    others = origin is not None or message.via_bot is not None
    source = Source.OTHER if others else Source.OWN
    parts: list[Part] = []
    if not message.text and (kind := _kind(raw)):
        parts.append(Unreadable(kind=kind, source=source, taint=others))
    if origin is not None and words:
        parts.append(_quote(_author(origin), words))
    elif words:
        parts.append(Text(text=_heard(message, bot)[0], source=source, taint=others))
    return (*_quoted(message), *parts) if parts else ()


def _kind(raw: bytes) -> str:
    fields = msgspec.json.decode(raw, type=dict[str, Raw])
    return next((kind for kind in _KINDS if kind in fields), "")


def _quoted(message: api.Message) -> list[Part]:
    target, external = _target(message), message.external_reply
    excerpt = message.quote.text if message.quote else ""
    if target is not None:
        text = excerpt or target.text or target.caption
        author = api.Origin(sender_user=target.sender, sender_chat=target.sender_chat)
        return [_quote(_author(author), text)] if text else []
    if external is not None and excerpt:
        return [_quote(_author(external.origin), excerpt)]
    return []


def _quote(author: str, text: str) -> Quote:
    return Quote(author=author, text=text, source=Source.OTHER, taint=True)


def _author(origin: api.Origin) -> str:
    if origin.sender_user is not None:
        return _name(origin.sender_user)
    chat = origin.sender_chat or origin.chat
    return chat.title if chat is not None else origin.sender_user_name


def _is_addressed(message: api.Message, bot: api.User) -> bool:
    target = _target(message)
    answers_us = target is not None and target.sender is not None and target.sender.id == bot.id
    return _chat(message) is ChatKind.DIRECT or answers_us or _heard(message, bot)[1]


def _heard(message: api.Message, bot: api.User) -> tuple[str, bool]:
    """Take our own name out of a text; tell whether it was there, or a command that is ours."""
    text = message.text or message.caption
    us = f"@{bot.username}".casefold()
    if message.forward_origin is not None:
        return text, False
    if command := _COMMAND.match(text):
        ours = command[2] is None or command[2].casefold() == us
        return (command[1] + text[command.end() :], True) if ours else (text, False)
    units = text.encode("utf-16-le")
    kept: list[bytes] = []
    at = 0
    for entity in message.entities or message.caption_entities:
        begin, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
        named = units[begin:end].decode("utf-16-le", "replace").casefold() == us
        linked = entity.user is not None and entity.user.id == bot.id
        called = (entity.type == "mention" and named) or (entity.type == "text_mention" and linked)
        if called and begin >= at and _chat(message) is ChatKind.GROUP:
            kept.append(units[at:begin])
            at = end
    if not kept:
        return text, False
    rest = [part.decode("utf-16-le", "replace").strip(" ") for part in (*kept, units[at:])]
    return " ".join(rest).strip() or text, True
