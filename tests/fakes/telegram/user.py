"""The users' side of the Telegram stand-in: say, click, look; here or from another process.

`TelegramUser` is one interface; `TelegramServer` has it in-process, `RemoteTelegram` over HTTP.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import TypedDict

import msgspec
from typing_extensions import Unpack

from tests.fakes.control import LookLog, Order, Remote, View, Watched, watch
from tests.fakes.faults import JsonObject
from tests.fakes.telegram.markup import Entity
from tests.fakes.telegram.world import Kind, Shown, Webhook
from tests.patience import PATIENCE_S


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Telegram's send limits; 0 lifts one. Burst and drafts are assumed: nothing tells them."""

    per_second: float = 30.0
    chat_per_second: float = 1.0
    chat_burst: float = 3.0
    group_per_minute: float = 20.0
    draft_per_second: float = 5.0


UNLIMITED = Pace(per_second=0, chat_per_second=0, group_per_minute=0, draft_per_second=0)


class Extras(TypedDict, total=False):
    """What else a message can be: a reply, with a quote, forwarded (from a user or a name)."""

    reply_to: int
    quote: str
    forward_from: int | str
    thread_id: int
    album: str
    entities: list[Entity]


class Arrives(msgspec.Struct, frozen=True, kw_only=True):
    """What every message of a user has."""

    chat_id: int
    user_id: int
    text: str = ""
    reply_to: int | None = None
    quote: str | None = None
    forward_from: int | str | None = None
    thread_id: int | None = None
    album: str | None = None
    entities: list[Entity] | None = None


class Says(Arrives, frozen=True, tag="says", kw_only=True):
    """A user writes."""


class Sends(Arrives, frozen=True, tag="sends", kw_only=True):
    """A user sends something that is not text; the text is its caption."""

    kind: Kind
    content: bytes


class Edits(msgspec.Struct, frozen=True, tag="edits"):
    """A user changes what was written."""

    chat_id: int
    message_id: int
    text: str


class Clicks(msgspec.Struct, frozen=True, tag="clicks"):
    """A user presses the button with this text or data."""

    chat_id: int
    user_id: int
    message_id: int
    button: str


class Blocks(msgspec.Struct, frozen=True, tag="blocks"):
    """A user blocks the bot, or lets it in again."""

    user_id: int
    blocked: bool


class Stops(msgspec.Struct, frozen=True, tag="stops"):
    """A user presses the stop button of a draft."""

    chat_id: int


class Introduces(msgspec.Struct, frozen=True, tag="introduces"):
    """A user gets a name and a language."""

    user_id: int
    first_name: str
    username: str | None = None
    language_code: str | None = None
    is_bot: bool = False


class Founds(msgspec.Struct, frozen=True, tag="founds"):
    """Somebody makes a group with the bot in it."""

    chat_id: int
    title: str
    supergroup: bool


class Upgrades(msgspec.Struct, frozen=True, tag="upgrades"):
    """Somebody turns a basic group into a supergroup, which has another id."""

    chat_id: int
    user_id: int
    new_id: int


class Redelivers(msgspec.Struct, frozen=True, tag="redelivers"):
    """Telegram pushes an update once more."""

    update_id: int


class SetPace(msgspec.Struct, frozen=True, tag="pace"):
    """Change the send limits."""

    pace: Pace


class LookChat(msgspec.Struct, frozen=True, tag="chat", kw_only=True):
    """Read a chat as soon as the server's version is above `after`."""

    chat_id: int
    after: int = -1
    timeout_s: float = 0.0


class LookState(msgspec.Struct, frozen=True, tag="state"):
    """Read what belongs to no chat."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What an act caused: `update_id` is 0 where the bot is told nothing."""

    update_id: int = 0
    message_id: int = 0
    query_id: str = ""


class ChatView(View, frozen=True, kw_only=True):
    """A chat at a version: its messages, the draft below them, the last chat action."""

    messages: list[Shown]
    draft: str | None = None
    drafts: int = 0
    action: str = ""


class State(View, frozen=True, kw_only=True):
    """What belongs to no chat; `answers` are those to callback queries, None while open."""

    pending: int
    webhook: Webhook
    commands: JsonObject
    answers: dict[str, str | None]


PersonAct = Says | Edits | Sends | Clicks | Blocks | Stops | Introduces | Founds
Act = PersonAct | Upgrades | Redelivers | SetPace
Command = Act | Order | LookChat | LookState | LookLog


class TelegramUser(Watched):
    """What people do and see in Telegram's apps."""

    @abstractmethod
    async def act(self, act: Act) -> Said:
        """Carry out what a user does."""

    @abstractmethod
    async def look_chat(self, look: LookChat) -> ChatView:
        """Return a chat once the server is newer than `look.after`."""

    @abstractmethod
    async def state(self) -> State:
        """Return what belongs to no chat."""

    async def user_says(
        self, chat_id: int, user_id: int, text: str, **extras: Unpack[Extras]
    ) -> Said:
        """Write `text`; in a private chat `chat_id` is `user_id`."""
        return await self.act(Says(chat_id=chat_id, user_id=user_id, text=text, **extras))

    async def user_edits(self, chat_id: int, message_id: int, text: str) -> Said:
        """Change a user's message."""
        return await self.act(Edits(chat_id, message_id, text))

    async def user_sends(
        self,
        chat_id: int,
        user_id: int,
        kind: Kind,
        content: bytes = b"",
        text: str = "",
        **extras: Unpack[Extras],
    ) -> Said:
        """Send a photo, a voice message, a file and the like; `text` is its caption."""
        act = Sends(
            chat_id=chat_id, user_id=user_id, kind=kind, content=content, text=text, **extras
        )
        return await self.act(act)

    async def user_clicks(self, chat_id: int, user_id: int, message_id: int, button: str) -> Said:
        """Press the button with this text or data."""
        return await self.act(Clicks(chat_id, user_id, message_id, button))

    async def user_blocks(self, user_id: int, *, blocked: bool = True) -> Said:
        """Block the bot, or let it in again."""
        return await self.act(Blocks(user_id, blocked))

    async def user_stops(self, chat_id: int) -> Said:
        """Press the stop button of the draft."""
        return await self.act(Stops(chat_id))

    async def add_user(
        self,
        user_id: int,
        first_name: str,
        language_code: str | None = None,
        *,
        is_bot: bool = False,
    ) -> Said:
        """Give a user a name and a language before the first message."""
        named = f"user{user_id}_bot" if is_bot else f"user{user_id}"
        return await self.act(Introduces(user_id, first_name, named, language_code, is_bot))

    async def add_group(self, chat_id: int, title: str, *, supergroup: bool = True) -> Said:
        """Make a group (a negative id) with the bot in it."""
        return await self.act(Founds(chat_id, title, supergroup))

    async def upgrade(self, chat_id: int, user_id: int, new_id: int) -> Said:
        """Turn a basic group into a supergroup; both chats tell of it."""
        return await self.act(Upgrades(chat_id, user_id, new_id))

    async def redeliver(self, update_id: int) -> Said:
        """Push an update once more to the webhook."""
        return await self.act(Redelivers(update_id))

    async def set_pace(self, pace: Pace) -> None:
        """Change the send limits."""
        await self.act(SetPace(pace))

    async def chat(self, chat_id: int) -> list[Shown]:
        """Return the messages of a chat as its users see them now."""
        return (await self.look_chat(LookChat(chat_id=chat_id))).messages

    async def answers(self, chat_id: int) -> list[str]:
        """Return what the bot's messages in a chat say now."""
        return [message.text for message in await self.chat(chat_id) if message.from_bot]

    async def wait_for(
        self, chat_id: int, predicate: Callable[[list[Shown]], bool], timeout_s: float = PATIENCE_S
    ) -> list[Shown]:
        """Return the chat once `predicate` holds for it; raise TimeoutError if it never does."""
        view = await self.wait_view(chat_id, lambda seen: predicate(seen.messages), timeout_s)
        return view.messages

    async def wait_view(
        self, chat_id: int, predicate: Callable[[ChatView], bool], timeout_s: float = PATIENCE_S
    ) -> ChatView:
        """Return the chat, its draft and its action once `predicate` holds for them."""

        async def look(after: int, left_s: float) -> ChatView:
            return await self.look_chat(LookChat(chat_id=chat_id, after=after, timeout_s=left_s))

        return await watch(look, predicate, timeout_s)


class RemoteTelegram(Remote, TelegramUser):
    """The stand-in in another process: `async with RemoteTelegram(url) as telegram`."""

    async def act(self, act: Act) -> Said:
        """Carry out what a user does."""
        return await self.ask(act, Said)

    async def look_chat(self, look: LookChat) -> ChatView:
        """Return a chat once the server is newer than `look.after`."""
        return await self.ask(look, ChatView)

    async def state(self) -> State:
        """Return what belongs to no chat."""
        return await self.ask(LookState(), State)
