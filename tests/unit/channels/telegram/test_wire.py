"""What Telegram says is understood, whatever it is; what we say is markup that Telegram takes."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdbot.channels.telegram import api, wire
from clawdbot.domain.errors import AuthLost, Gone, Moved, Refused, Retry, SendFailed, Unknown
from clawdbot.domain.inbound import Address, ChatKind, Inbound, InboundKind, Sender
from clawdbot.domain.messages import Quote, Source, Text, Unreadable
from clawdbot.domain.ports import Button, Outgoing
from tests.fakes.telegram.markup import parse as telegram_parse
from tests.fakes.telegram.markup import utf16

BOT = api.User(id=7, is_bot=True, first_name="Claw", username="Claw_bot")
ANN = {"id": 5, "is_bot": False, "first_name": "Ann", "last_name": "Lee", "language_code": "zh"}
BOB = {"id": 6, "is_bot": False, "first_name": "Bob"}
US = {"id": 7, "is_bot": True, "first_name": "Claw", "username": "Claw_bot"}
DIRECT = {"id": 5, "type": "private", "first_name": "Ann"}
GROUP = {"id": -100, "type": "supergroup", "title": "Friends"}
HERE = Address(channel="telegram", account="main", chat="5")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "x"]), inner)
    ),
    max_leaves=6,
)


def said(**fields: object) -> Inbound:
    """Parse a message of Ann's; `chat` is her own unless it is given."""
    message = {"message_id": 11, "date": 1, "from": ANN, "chat": DIRECT} | fields
    return parsed({"message": message})


def parsed(update: Mapping[str, object]) -> Inbound:
    """Parse an update."""
    return wire.parse(msgspec.json.encode({"update_id": 70} | dict(update)), BOT, "main")


def own(text: str) -> Text:
    """Make the sender's own words."""
    return Text(text=text, source=Source.OWN)


def others(author: str, text: str) -> Quote:
    """Make somebody else's words."""
    return Quote(author=author, text=text, source=Source.OTHER, taint=True)


def marked(kind: str, text: str, part: str, **more: object) -> dict[str, object]:
    """Mark a part of a text as Telegram does."""
    offset = utf16(text[: text.index(part)])
    return {"type": kind, "offset": offset, "length": utf16(part), **more}


def mentioned(text: str, *parts: str) -> Inbound:
    """Parse a text in a group in which the parts are mentions."""
    entities = [marked("mention", text, part) for part in parts]
    return said(chat=GROUP, text=text, entities=entities)


def test_a_direct_message() -> None:
    expected = Inbound(
        receiver="telegram:7",
        event="70",
        to=HERE,
        chat=ChatKind.DIRECT,
        sender=Sender(id="5", name="Ann Lee", language="zh"),
        parts=(own("你好 👍"),),
        ref="11",
    )
    assert expected == said(text="你好 👍", some_future_field={"a": 1})


def test_an_edit_keeps_the_message_and_has_its_own_event() -> None:
    message = {"message_id": 11, "from": ANN, "chat": DIRECT, "text": "b", "edit_date": 2}
    inbound = parsed({"update_id": 71, "edited_message": message})
    assert (InboundKind.EDIT, "71", "11") == (inbound.kind, inbound.event, inbound.ref)
    assert (own("b"),) == inbound.parts


def test_a_click_names_the_button_and_what_must_be_answered() -> None:
    query = {"id": "q1", "from": BOB, "data": "tok", "message": {"message_id": 3, "chat": GROUP}}
    inbound = parsed({"callback_query": query})
    assert InboundKind.CLICK == inbound.kind
    assert ("tok", "q1", "3", "6") == (
        inbound.token,
        inbound.click,
        inbound.ref,
        inbound.sender.id,
    )
    assert Address(channel="telegram", account="main", chat="-100", group=True) == inbound.to


def test_in_a_group_a_message_to_nobody_is_not_for_us() -> None:
    inbound = said(chat=GROUP, text="hello all")
    assert (ChatKind.GROUP, True, False) == (inbound.chat, inbound.to.group, inbound.addressed)
    assert InboundKind.MESSAGE == inbound.kind


@pytest.mark.parametrize(
    ("text", "mention", "expected"),
    [
        ("@claw_BOT what now", "@claw_BOT", "what now"),
        ("👍👍 hey @Claw_bot what now", "@Claw_bot", "👍👍 hey what now"),
        ("what now @Claw_bot", "@Claw_bot", "what now"),
        ("@Claw_bot", "@Claw_bot", "@Claw_bot"),
    ],
)
def test_a_mention_addresses_us_and_is_no_part_of_the_text(
    text: str, mention: str, expected: str
) -> None:
    inbound = mentioned(text, mention)
    assert (True, (own(expected),)) == (inbound.addressed, inbound.parts)


def test_every_mention_of_us_goes_and_others_stay() -> None:
    inbound = mentioned("@Claw_bot ask @bob, @CLAW_BOT!", "@Claw_bot", "@bob", "@CLAW_BOT")
    assert (own("ask @bob, !"),) == inbound.parts


@pytest.mark.parametrize("part", ["@bob", "@Claw_bot2"])
def test_a_mention_of_another_is_not_for_us(part: str) -> None:
    assert not mentioned(f"hey {part}", part).addressed


def test_our_name_in_code_is_no_mention() -> None:
    text = "like @Claw_bot"
    assert not said(chat=GROUP, text=text, entities=[marked("code", text, "@Claw_bot")]).addressed


def test_a_mention_by_name_alone_addresses_us() -> None:
    text = "Claw, what now"
    inbound = said(chat=GROUP, text=text, entities=[marked("text_mention", text, "Claw", user=US)])
    assert (True, (own(", what now"),)) == (inbound.addressed, inbound.parts)


def test_a_caption_can_mention_us() -> None:
    text = "@Claw_bot look"
    mention = marked("mention", text, "@Claw_bot")
    inbound = said(chat=GROUP, photo=[{}], caption=text, caption_entities=[mention])
    assert inbound.addressed
    assert (Unreadable(kind="photo", source=Source.OWN), own("look")) == inbound.parts


@pytest.mark.parametrize(
    ("text", "addressed", "expected"),
    [
        ("/new", True, "/new"),
        ("/new@claw_bot", True, "/new"),
        ("/model@Claw_bot fast", True, "/model fast"),
        ("/new@other_bot", False, "/new@other_bot"),
        ("/usr/bin is full", False, "/usr/bin is full"),
        ("and /new", False, "and /new"),
    ],
)
def test_commands_in_a_group(text: str, addressed: bool, expected: str) -> None:
    inbound = said(chat=GROUP, text=text)
    assert (addressed, (own(expected),)) == (inbound.addressed, inbound.parts)


def test_a_reply_carries_what_it_answers() -> None:
    target = {"message_id": 9, "chat": GROUP, "from": BOB, "text": "Is it so?"}
    inbound = said(chat=GROUP, text="No", reply_to_message=target)
    assert ("9", False) == (inbound.reply_to, inbound.addressed)
    assert (others("Bob", "Is it so?"), own("No")) == inbound.parts


def test_a_reply_to_us_addresses_us() -> None:
    target = {"message_id": 9, "chat": GROUP, "from": US, "caption": "Yes."}
    inbound = said(chat=GROUP, text="Why", reply_to_message=target, quote={"text": "Y"})
    assert inbound.addressed
    assert (others("Claw", "Y"), own("Why")) == inbound.parts


def test_a_reply_to_another_chat_carries_its_quote() -> None:
    external = {"origin": {"type": "channel", "chat": {"id": -9, "type": "channel", "title": "N"}}}
    inbound = said(text="True?", external_reply=external, quote={"text": "News"})
    assert (others("N", "News"), own("True?")) == inbound.parts


@pytest.mark.parametrize(
    ("origin", "author"),
    [
        ({"type": "user", "sender_user": BOB}, "Bob"),
        ({"type": "hidden_user", "sender_user_name": "Cy"}, "Cy"),
        ({"type": "chat", "sender_chat": GROUP}, "Friends"),
        ({"type": "channel", "chat": {"id": -9, "type": "channel", "title": "N"}}, "N"),
    ],
)
def test_a_forward_is_another_s_words(origin: object, author: str) -> None:
    assert (others(author, "/stop"),) == said(text="/stop", forward_origin=origin).parts


def test_a_forward_in_a_group_does_not_speak_to_us() -> None:
    text = "@Claw_bot /new"
    mention = marked("mention", text, "@Claw_bot")
    origin = {"type": "user", "sender_user": BOB}
    assert not said(chat=GROUP, text=text, entities=[mention], forward_origin=origin).addressed


def test_a_forwarded_file_is_not_the_sender_s_own() -> None:
    inbound = said(voice={"duration": 1}, forward_origin={"sender_user": BOB})
    assert (Unreadable(kind="voice", source=Source.OTHER, taint=True),) == inbound.parts


def test_what_an_inline_bot_wrote_is_not_the_sender_s_own() -> None:
    inbound = said(text="buy now", via_bot={"id": 8, "is_bot": True})
    assert (Text(text="buy now", source=Source.OTHER, taint=True),) == inbound.parts


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"photo": [{}]}, "photo"),
        ({"voice": {}}, "voice"),
        ({"document": {}, "animation": {}}, "animation"),
        ({"location": {}, "venue": {}}, "venue"),
        ({"sticker": {}}, "sticker"),
        ({"video_note": {}}, "video_note"),
        ({"poll": {}}, "poll"),
    ],
)
def test_other_kinds_are_named(fields: dict[str, object], kind: str) -> None:
    assert (Unreadable(kind=kind, source=Source.OWN),) == said(**fields).parts


def test_an_album_is_joined_by_its_id() -> None:
    assert "a1" == said(photo=[{}], media_group_id="a1").album


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "hi", "from": US},
        {"text": "hi", "from": {"id": 8, "is_bot": True, "first_name": "Other"}},
        {"text": "hi", "from": None, "sender_chat": GROUP},
        {"text": "hi", "is_automatic_forward": True},
        {"new_chat_members": [BOB]},
        {"pinned_message": {"message_id": 1, "chat": GROUP, "text": "x"}},
        {"new_chat_title": "x", "reply_to_message": {"message_id": 1, "chat": GROUP, "text": "x"}},
    ],
)
def test_bots_and_service_messages_are_noise(fields: dict[str, object]) -> None:
    assert InboundKind.NOISE == said(chat=GROUP, **fields).kind


def test_both_chats_tell_the_same_of_a_group_that_became_a_supergroup() -> None:
    before = {"id": -5, "type": "group", "title": "Friends"}
    left = said(chat=before, migrate_to_chat_id=-100)
    come = said(chat=GROUP, migrate_from_chat_id=-5, sender_chat=GROUP)
    for inbound in (left, come):
        assert ("-100", "-5", InboundKind.NOISE) == (inbound.to.chat, inbound.was, inbound.kind)
        assert (ChatKind.GROUP, "Friends", True) == (inbound.chat, inbound.title, inbound.to.group)
    assert "" == said(chat=GROUP, text="hello").was


@pytest.mark.parametrize(
    "update",
    [
        {},
        {"channel_post": {"message_id": 1, "chat": {"id": -9, "type": "channel"}, "text": "x"}},
        {"my_chat_member": {"chat": DIRECT}},
        {"callback_query": {"id": "q", "from": ANN, "inline_message_id": "i", "data": "t"}},
    ],
)
def test_updates_of_other_kinds_are_noise(update: dict[str, object]) -> None:
    inbound = parsed(update)
    assert (InboundKind.NOISE, "70") == (inbound.kind, inbound.event)


def test_a_topic_is_a_thread_and_its_first_message_no_quote() -> None:
    first = {"message_id": 4, "chat": GROUP, "from": US, "forum_topic_created": {}, "text": "T"}
    inbound = said(
        chat=GROUP,
        text="hi",
        message_thread_id=4,
        is_topic_message=True,
        reply_to_message=first,
    )
    assert ("4", "", False) == (inbound.to.thread, inbound.reply_to, inbound.addressed)
    assert (own("hi"),) == inbound.parts


def test_a_chain_of_replies_is_no_thread() -> None:
    assert "" == said(chat=GROUP, text="hi", message_thread_id=4).to.thread


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        (b'{"update_id":70,"message":{"message_id":1}}', "70"),
        (b'{"update_id": 70, "message": {"text": "\\ud800"}}', "70"),
        (b'{"update_id":70,"message":"\xff"}', "70"),
        (b'{"update_id":70,"callback_query":5}', "70"),
        (b'{"x":' * 9000 + b'"update_id":70', "70"),
        (b'{"update_id":70,"message":' + b"[" * 100_000, "70"),
        (b"{}", "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    ],
)
def test_what_cannot_be_read_is_kept_under_its_number(raw: bytes, event: str) -> None:
    inbound = wire.parse(raw, BOT, "main")
    assert (InboundKind.UNREADABLE, event) == (inbound.kind, inbound.event)
    assert raw[: 64 * 1024] == inbound.raw


@given(st.binary(max_size=200))
def test_no_bytes_raise(raw: bytes) -> None:
    assert "telegram:7" == wire.parse(raw, BOT, "main").receiver


@given(st.sampled_from(["message", "edited_message", "callback_query"]), JSON)
def test_no_json_raises(kind: str, value: object) -> None:
    parsed({kind: value})


@given(
    st.dictionaries(
        st.sampled_from(
            ["message_id", "from", "chat", "text", "caption", "reply_to_message", "quote", "photo"]
        ),
        JSON,
    ),
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["mention", "text_mention", "bot_command"]),
                "offset": st.integers(min_value=-1, max_value=12),
                "length": st.integers(min_value=-1, max_value=12),
                "user": st.sampled_from([US, ANN]),
            }
        ),
        max_size=3,
    ),
)
def test_no_message_raises(fields: dict[str, object], entities: object) -> None:
    inbound = said(**({"text": "👍@Claw_bot👍", "chat": GROUP} | fields | {"entities": entities}))
    msgspec.json.encode(inbound)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a < b & c", "a &lt; b &amp; c"),
        ("**b** *i* ~~s~~ `c`", "<b>b</b> <i>i</i> <s>s</s> <code>c</code>"),
        ('[x](https://a.b/?q="1"&r)', '<a href="https://a.b/?q=&quot;1&quot;&amp;r">x</a>'),
        ("```py\na < b\n```", '<pre><code class="language-py">a &lt; b</code></pre>'),
        ('```"><b\nx\n```', '<pre><code class="language-&quot;&gt;&lt;b">x</code></pre>'),
        ("```\nx\n```", "<pre>x</pre>"),
        ("> q", "<blockquote>q</blockquote>"),
    ],
)
def test_markdown_becomes_html(text: str, html: str) -> None:
    assert (html, "HTML") == _shown(text)


@pytest.mark.parametrize("text", ["```\n```", "> "])
def test_what_would_show_nothing_goes_plainly(text: str) -> None:
    assert (text, "") == _shown(text)


def test_what_telegram_would_find_too_long_goes_plainly() -> None:
    assert ["HTML", ""] == [_shown("`&` " * times)[1] for times in (1000, 2000)]


@given(st.text(alphabet="ab1 \n*_~`#>|-[]()!\\/.:h<&\"'漢👍", min_size=1, max_size=120))
def test_every_text_is_markup_that_telegram_takes(text: str) -> None:
    shown, mode = _shown(text)
    seen, _ = telegram_parse(shown, mode)
    assert utf16(text) >= utf16(seen)
    assert seen.strip() or not text.strip()


def test_a_message_in_a_topic_with_a_reply_and_buttons() -> None:
    to = Address(channel="telegram", account="main", chat="-100", thread="4", group=True)
    buttons = (Button(label="Yes", token="y"), Button(label="No", token="n"))
    shown = wire.render(to, Outgoing(text="Sure?", buttons=buttons, reply_to="9"))
    assert {
        "chat_id": -100,
        "text": "Sure?",
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
        "message_thread_id": 4,
        "reply_parameters": {"message_id": 9, "allow_sending_without_reply": True},
        "reply_markup": {
            "inline_keyboard": [
                [{"text": "Yes", "callback_data": "y"}, {"text": "No", "callback_data": "n"}]
            ]
        },
    } == msgspec.to_builtins(shown)


def test_many_buttons_stand_below_each_other() -> None:
    buttons = tuple(Button(label=str(n), token=str(n)) for n in range(4))
    keyboard = wire.render(HERE, Outgoing(text="?", buttons=buttons)).reply_markup
    assert keyboard is not None
    assert [1, 1, 1, 1] == [len(row) for row in keyboard.inline_keyboard]


def test_a_replacement_names_its_message_and_nothing_else() -> None:
    to = Address(channel="telegram", account="main", chat="-100", thread="4", group=True)
    shown = wire.render(to, Outgoing(text="*x*", reply_to="9"), ref="12", plain=True)
    assert {
        "chat_id": -100,
        "text": "*x*",
        "link_preview_options": {"is_disabled": True},
        "message_id": 12,
    } == msgspec.to_builtins(shown)


@pytest.mark.parametrize(
    ("code", "description", "kind"),
    [
        (400, "Bad Request: chat not found", Refused),
        (400, "Bad Request: message to edit not found", Gone),
        (400, "Bad Request: message can't be edited", Gone),
        (401, "Unauthorized", AuthLost),
        (403, "Forbidden: bot was blocked by the user", Refused),
        (404, "Not Found", AuthLost),
        (409, "Conflict: terminated by other getUpdates request", Refused),
        (429, "Too Many Requests: retry after 3", Retry),
        (500, "Internal Server Error: sent message was immediately deleted", Unknown),
        (502, "Bad Gateway", Unknown),
    ],
)
def test_every_refusal_is_a_decision(code: int, description: str, kind: type[SendFailed]) -> None:
    body = {"ok": False, "error_code": code, "description": description}
    with pytest.raises(SendFailed, match=description) as caught:
        wire.answer(code, msgspec.json.encode(body | {"parameters": {}}), bool)
    assert kind is type(caught.value)


def test_a_wait_is_as_long_as_telegram_says() -> None:
    body = b'{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":7}}'
    with pytest.raises(Retry) as caught:
        wire.answer(429, body, bool)
    assert 7.0 == caught.value.after


def test_a_chat_that_goes_on_elsewhere_says_where() -> None:
    body = b'{"ok":false,"error_code":400,"description":"x","parameters":{"migrate_to_chat_id":-9}}'
    with pytest.raises(Moved) as caught:
        wire.answer(400, body, api.Sent)
    assert "-9" == caught.value.chat


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<html>", Unknown),
        (200, b'{"ok":true,"result":{"message_id":"x"}}', Unknown),
        (200, b'{"ok":true}', Unknown),
        (502, b"<html>", Unknown),
        (302, b"", Retry),
        (403, b"blocked by the firewall", Retry),
    ],
)
def test_what_is_no_answer_of_telegram_s(status: int, body: bytes, kind: type[SendFailed]) -> None:
    with pytest.raises(kind):
        wire.answer(status, body, api.Sent)


def test_updates_are_split_unread() -> None:
    body = b'{"ok":true,"result":[{"update_id":1, "x":"\xff"},{"update_id":2}]}'
    assert [b'{"update_id":1, "x":"\xff"}', b'{"update_id":2}'] == wire.updates(200, body, 100)


def test_an_update_that_spoils_the_answer_is_taken_alone() -> None:
    body = b'{"ok":true,"result":[{"update_id":1,"message":{"text":"\\ud800"}}]}'
    with pytest.raises(Unknown):
        wire.updates(200, body, 100)
    assert [body] == wire.updates(200, body, 1)
    assert "1" == wire.parse(body, BOT, "main").event


def test_a_page_that_is_no_answer_is_no_update() -> None:
    with pytest.raises(Unknown):
        wire.updates(200, b"<html>", 1)


def _shown(text: str) -> tuple[str, str]:
    shown = wire.render(HERE, Outgoing(text=text))
    return shown.text, shown.parse_mode
