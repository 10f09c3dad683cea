"""The bot's side: Telegram's methods, refusing what Telegram refuses, in Telegram's words.

Knows parameters and answers, not HTTP. Facts follow the Bot API and its server's sources.
"""

import re
from collections.abc import Callable

import msgspec

from tests.fakes.faults import Json, JsonObject
from tests.fakes.telegram.calls import (
    AnswerQuery,
    GetFile,
    OneMessage,
    Refused,
    Reply,
    SendAction,
    SendDraft,
    SendMessage,
    SetCommands,
    Text,
    bad,
    read,
)
from tests.fakes.telegram.markup import BadMarkup, Entity, parse, utf16
from tests.fakes.telegram.world import (
    TEXT_MAX,
    Chat,
    Message,
    World,
    file_id,
    find_chat,
    find_entities,
)

SOURCE_MAX_BYTES = 32768
DATA_MAX_BYTES = 64
FILE_MAX_BYTES = 20 * 1024 * 1024
ANSWER_MAX = 200
ACTIONS = {
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
}
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)


def get_me(world: World, _body: JsonObject) -> Json:
    """Return the bot."""
    return {
        **world.bot.to_json(),
        "can_join_groups": True,
        "can_read_all_group_messages": not world.privacy,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def send_message(world: World, body: JsonObject) -> Json:
    """Add the bot's message."""
    call = read(body, SendMessage)
    content = _content(call, "message is too long")
    chat = _open(world, call.chat_id)
    reply = call.reply_parameters
    if reply is None and call.reply_to_message_id:
        reply = Reply(
            call.reply_to_message_id, allow_sending_without_reply=call.allow_sending_without_reply
        )
    if reply is not None:
        content |= _reply(world, chat, reply)
    if call.message_thread_id is not None and chat.type == "supergroup":
        content |= {"message_thread_id": call.message_thread_id, "is_topic_message": True}
    chat.draft = None
    chat.action = ""
    return dict(world.add_message(chat, world.bot, content).body)


def edit_message_text(world: World, body: JsonObject) -> Json:
    """Change the bot's message."""
    call = read(body, OneMessage)
    content = _content(call, "MESSAGE_TOO_LONG")
    message = _message(world, call, "edit")
    if message.sender != world.bot.id:
        raise bad("message can't be edited")
    keys = ("text", "entities", "reply_markup")
    if all(message.body.get(key) == content.get(key) for key in keys):
        raise bad(NOT_MODIFIED)
    world.change_message(message, content)
    return dict(message.body)


def delete_message(world: World, body: JsonObject) -> Json:
    """Take a message away."""
    _message(world, read(body, OneMessage), "delete").deleted = True
    return True


def send_message_draft(world: World, body: JsonObject) -> Json:
    """Show a draft; the next message of the bot ends it."""
    call = read(body, SendDraft)
    content = _content(call, "message is too long") if call.text else {"text": ""}
    chat = _chat(world, call.chat_id)
    if chat.type != "private":
        raise bad("TEXTDRAFT_PEER_INVALID")
    if call.draft_id == 0:
        raise bad("RANDOM_ID_INVALID")
    chat.draft = str(content["text"])
    chat.draft_id = call.draft_id
    chat.drafts += 1
    return True


def send_chat_action(world: World, body: JsonObject) -> Json:
    """Show that the bot types."""
    call = read(body, SendAction)
    chat = _open(world, call.chat_id)
    if call.action not in ACTIONS:
        raise bad("wrong parameter action in request")
    chat.action = call.action
    return True


def set_my_commands(world: World, body: JsonObject) -> Json:
    """Keep the command list of a language."""
    call = read(body, SetCommands)
    for each in call.commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", each.command.removeprefix("/")):
            raise bad("BOT_COMMAND_INVALID")
        if not 0 < utf16(each.description) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    world.commands[call.language_code] = msgspec.to_builtins(call.commands)
    return True


def answer_callback_query(world: World, body: JsonObject) -> Json:
    """End the waiting on a button."""
    call = read(body, AnswerQuery)
    if world.queries.get(call.callback_query_id, "") is not None:
        raise bad("query is too old and response timeout expired or query ID is invalid")
    if utf16(call.text) > ANSWER_MAX:
        raise bad("MESSAGE_TOO_LONG")
    world.queries[call.callback_query_id] = call.text
    return True


def get_file(world: World, body: JsonObject) -> Json:
    """Tell where a file can be had."""
    call = read(body, GetFile)
    for number, (name, content) in enumerate(world.files.items(), start=1):
        if file_id(name) == call.file_id:
            if len(content) > FILE_MAX_BYTES:
                raise bad("file is too big")
            return {
                "file_id": call.file_id,
                "file_unique_id": f"u{number}",
                "file_size": len(content),
                "file_path": name,
            }
    raise bad("wrong file_id or the file is temporarily unavailable")


METHODS: dict[str, Callable[[World, JsonObject], Json]] = {
    "getme": get_me,
    "sendmessage": send_message,
    "editmessagetext": edit_message_text,
    "deletemessage": delete_message,
    "sendmessagedraft": send_message_draft,
    "sendchataction": send_chat_action,
    "setmycommands": set_my_commands,
    "answercallbackquery": answer_callback_query,
    "getfile": get_file,
}


def _chat(world: World, chat_id: int | str) -> Chat:
    if chat_id == "":
        raise bad("chat_id is empty")
    found = find_chat(world, str(chat_id))
    if found is None:
        raise bad("chat not found")
    chat = world.chats[found]
    if chat.type == "private" and world.users[chat.id].has_blocked_bot:
        raise Refused(403, "Forbidden: bot was blocked by the user")
    return chat


def _open(world: World, chat_id: int | str) -> Chat:
    """Find a chat that takes messages; what was said in one that moved can still be changed."""
    chat = _chat(world, chat_id)
    if chat.moved_to:
        text = "Bad Request: group chat was upgraded to a supergroup chat"
        raise Refused(400, text, moved_to=chat.moved_to)
    return chat


def _message(world: World, call: OneMessage, purpose: str) -> Message:
    chat = _chat(world, call.chat_id)
    if call.message_id == 0:
        raise bad("message identifier is not specified")
    message = chat.messages.get(call.message_id)
    if message is None or message.deleted:
        raise bad(f"message to {purpose} not found")
    return message


def _reply(world: World, chat: Chat, reply: Reply) -> JsonObject:
    message = chat.messages.get(reply.message_id)
    if message is None or message.deleted:
        if reply.allow_sending_without_reply:
            return {}
        raise bad("message to be replied not found")
    return {"reply_to_message": world.reply_json(chat, reply.message_id)}


def _content(call: Text, too_long: str) -> JsonObject:
    if not call.text:
        raise bad("message text is empty")
    if len(call.text.encode()) > SOURCE_MAX_BYTES:
        raise bad("text is too long")
    try:
        text, entities = parse(call.text, call.parse_mode)
    except BadMarkup as error:
        raise bad(str(error)) from error
    text, entities = _trimmed(text, entities or call.entities)
    if not text:
        raise bad("text must be non-empty")
    if utf16(text) > TEXT_MAX:
        raise bad(too_long)
    content: JsonObject = {"text": text}
    if marked := msgspec.to_builtins(entities) or find_entities(text):
        content["entities"] = marked
    if call.reply_markup is not None:
        content |= _keyboard(call.reply_markup)
    return content


def _trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Trim as Telegram does: what the user sees has no white space around it."""
    kept = text.strip()
    cut = utf16(text) - utf16(text.lstrip())
    end = utf16(kept)
    moved = []
    for entity in entities:
        begin = max(0, entity.offset - cut)
        length = min(entity.offset - cut + entity.length, end) - begin
        if length > 0:
            moved.append(msgspec.structs.replace(entity, offset=begin, length=length))
    return kept, moved


class _Key(msgspec.Struct, omit_defaults=True):
    text: str
    callback_data: str | None = None
    url: str | None = None


class _Keyboard(msgspec.Struct):
    inline_keyboard: list[list[_Key]] | None = None


def _keyboard(markup: JsonObject) -> JsonObject:
    """Check the buttons; only an inline keyboard stays with the message."""
    try:
        rows = msgspec.convert(markup, _Keyboard).inline_keyboard
    except msgspec.ValidationError as error:
        raise bad(f"can't parse inline keyboard button: {error}") from error
    if not rows:
        return {}
    for row in rows:
        for key in row:
            if not key.callback_data and not key.url:
                raise bad(
                    "can't parse inline keyboard button: Text buttons are unallowed in the inline"
                    " keyboard"
                )
            if len((key.callback_data or "").encode()) > DATA_MAX_BYTES:
                raise bad("BUTTON_DATA_INVALID")
    return {"reply_markup": {"inline_keyboard": msgspec.to_builtins(rows)}}
