"""What a user's act does to the world: messages appear and updates are queued for the bot.

Pure state changes; it knows neither HTTP nor the bot's methods.
"""

from itertools import chain
from typing import assert_never

import msgspec

from tests.fakes.faults import Json, JsonObject, now
from tests.fakes.telegram.markup import utf16
from tests.fakes.telegram.user import (
    Arrives,
    Blocks,
    Clicks,
    Edits,
    Founds,
    Introduces,
    PersonAct,
    Said,
    Says,
    Sends,
    Stops,
    Upgrades,
)
from tests.fakes.telegram.world import (
    TEXT_MAX,
    Button,
    Chat,
    Message,
    User,
    World,
    find_entities,
)

# Who speaks where a group itself does.
_ANONYMOUS = User(id=1087968824, first_name="Group", username="GroupAnonymousBot", is_bot=True)


def carry_out(world: World, act: PersonAct) -> Said:
    """Change the world as a person's act does."""
    match act:
        case Says():
            return says(world, act)
        case Edits():
            return edits(world, act)
        case Sends():
            return sends(world, act)
        case Clicks():
            return clicks(world, act)
        case Blocks():
            return blocks(world, act)
        case Stops():
            return stops(world, act)
        case Introduces():
            return introduces(world, act)
        case Founds():
            return founds(world, act)
        case _:
            assert_never(act)


def says(world: World, act: Says) -> Said:
    """Add a user's text."""
    return _arrives(world, act, {"text": _checked(act.text), **_marked("entities", act)})


def sends(world: World, act: Sends) -> Said:
    """Add a user's photo, voice message, file and the like."""
    caption: JsonObject = {"caption": act.text} if act.text else {}
    content = world.media(act.kind, act.content) | caption | _marked("caption_entities", act)
    return _arrives(world, act, content)


def edits(world: World, act: Edits) -> Said:
    """Change a user's text."""
    chat = world.chats[act.chat_id]
    message = chat.messages[act.message_id]
    content: JsonObject = {"text": _checked(act.text)}
    if entities := find_entities(act.text):
        content["entities"] = entities
    world.change_message(message, content)
    told = _is_told(world, chat, message.body)
    number = world.add_update("edited_message", dict(message.body)) if told else 0
    return Said(update_id=number, message_id=message.id)


def clicks(world: World, act: Clicks) -> Said:
    """Press an inline button."""
    chat = world.chats[act.chat_id]
    message = chat.messages[act.message_id]
    button = _button(world, act)
    query = str(4_000_000_000 + len(world.queries))
    world.queries[query] = None
    number = world.add_update(
        "callback_query",
        {
            "id": query,
            "from": world.user(act.user_id).to_json(),
            "message": dict(message.body),
            "chat_instance": str(-chat.id),
            "data": button.callback_data,
        },
    )
    return Said(update_id=number, message_id=message.id, query_id=query)


def blocks(world: World, act: Blocks) -> Said:
    """Block the bot, or let it in again."""
    user = world.user(act.user_id)
    chat = world.chat(user.id, user.id)
    user.has_blocked_bot = act.blocked
    member: JsonObject = {"user": world.bot.to_json(), "status": "member"}
    kicked: JsonObject = {"user": world.bot.to_json(), "status": "kicked", "until_date": 0}
    number = world.add_update(
        "my_chat_member",
        {
            "chat": world.chat_json(chat),
            "from": user.to_json(),
            "date": int(now()),
            "old_chat_member": member if act.blocked else kicked,
            "new_chat_member": kicked if act.blocked else member,
        },
    )
    return Said(update_id=number)


def stops(world: World, act: Stops) -> Said:
    """Press the stop button of the draft."""
    chat = world.chats[act.chat_id]
    if chat.draft is None:
        raise LookupError(f"no draft in chat {chat.id}")
    content: JsonObject = {"chat": world.chat_json(chat), "draft_id": chat.draft_id}
    chat.draft = None
    return Said(update_id=world.add_update("stopped_message_generation", content))


def introduces(world: World, act: Introduces) -> Said:
    """Give a user a name and a language."""
    world.users[act.user_id] = User(
        id=act.user_id,
        first_name=act.first_name,
        username=act.username,
        language_code=act.language_code,
        is_bot=act.is_bot,
    )
    return Said()


def founds(world: World, act: Founds) -> Said:
    """Make a group with the bot in it."""
    kind = "supergroup" if act.supergroup else "group"
    world.chats[act.chat_id] = msgspec.convert(
        {"id": act.chat_id, "type": kind, "name": act.title}, Chat
    )
    return Said()


def upgrades(world: World, act: Upgrades) -> Said:
    """Turn a basic group into a supergroup: the old chat keeps its messages, and takes no more."""
    old, user = world.chats[act.chat_id], world.user(act.user_id)
    new = world.chats[act.new_id] = Chat(act.new_id, "supergroup", old.name)
    left = world.add_message(old, user, {"migrate_to_chat_id": new.id})
    old.moved_to = new.id
    anonymous: JsonObject = {"sender_chat": world.chat_json(new), "migrate_from_chat_id": old.id}
    come = world.add_message(new, _ANONYMOUS, anonymous)
    number = world.add_update("message", dict(left.body))
    world.add_update("message", dict(come.body))
    return Said(update_id=number, message_id=left.id)


def _arrives(world: World, act: Arrives, content: JsonObject) -> Said:
    chat = world.chat(act.chat_id, act.user_id)
    if act.thread_id is not None:
        content |= {"message_thread_id": act.thread_id, "is_topic_message": True}
    if act.album is not None:
        content["media_group_id"] = act.album
    if act.reply_to is not None:
        content["reply_to_message"] = world.reply_json(chat, act.reply_to)
        if act.quote is not None:
            content["quote"] = _quote(chat.messages[act.reply_to], act.quote)
    if act.forward_from is not None:
        content["forward_origin"] = _origin(world, act.forward_from)
    message = world.add_message(chat, world.user(act.user_id), content)
    told = _is_told(world, chat, message.body)
    number = world.add_update("message", dict(message.body)) if told else 0
    return Said(update_id=number, message_id=message.id)


def _marked(key: str, act: Arrives) -> JsonObject:
    entities: Json = msgspec.to_builtins(act.entities) if act.entities else find_entities(act.text)
    return {key: entities} if entities else {}


def _is_told(world: World, chat: Chat, body: JsonObject) -> bool:
    """In privacy mode a bot is told only of commands, mentions and replies to itself."""
    if not world.privacy or chat.type == "private":
        return True
    text = str(body.get("text", body.get("caption", "")))
    replied = msgspec.convert(body, _Replied).reply_to_message
    to_bot = replied is not None and replied.sender.id == world.bot.id
    return text.startswith("/") or f"@{world.bot.username}" in text or to_bot


def _button(world: World, act: Clicks) -> Button:
    shown = next(each for each in world.shown(act.chat_id) if each.id == act.message_id)
    for button in chain.from_iterable(shown.buttons):
        if act.button in (button.text, button.callback_data):
            return button
    raise LookupError(f"no button {act.button!r} below message {act.message_id}")


def _checked(text: str) -> str:
    if not 0 < utf16(text) <= TEXT_MAX:
        raise ValueError(f"a user cannot send {utf16(text)} units of text")
    return text


def _quote(message: Message, quote: str) -> Json:
    before, found, _ = message.history[-1].partition(quote)
    if not found:
        raise LookupError(f"message {message.id} does not say {quote!r}")
    return {"text": quote, "position": utf16(before), "is_manual": True}


def _origin(world: World, source: int | str) -> Json:
    if isinstance(source, str):
        return {"type": "hidden_user", "sender_user_name": source, "date": int(now()) - 60}
    user = world.user(source).to_json()
    return {"type": "user", "sender_user": user, "date": int(now()) - 60}


class _Sender(msgspec.Struct):
    id: int


class _Reply(msgspec.Struct):
    sender: _Sender = msgspec.field(name="from")


class _Replied(msgspec.Struct):
    reply_to_message: _Reply | None = None
