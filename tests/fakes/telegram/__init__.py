"""A strict local Telegram Bot API server; it refuses what Telegram refuses.

    async with TelegramServer(token="123:abc") as telegram:      # or `RemoteTelegram(url)`
        said = await telegram.user_says(5, 5, "hello")           # a private chat: chat id = user id
        seen = await telegram.wait_for(5, lambda chat: chat[-1].from_bot)
        await telegram.fault(Fault(kind="drop", method="sendMessage", when="after"))
        assert ["hi"] == await telegram.answers(5)               # as the user sees them now

The bot's base URL is `telegram.url`; Telegram's pace holds unless `pace=UNLIMITED`. What happens
to a request when its client dies is decided by faults: hold it, kill the client, then `release`
(it is carried out) or have a `drop` behind the `hold` (it is lost). In its own process it survives:

    async with spawned("tests.fakes.telegram", "--state", FILE, "--pace", "off") as process:
        async with RemoteTelegram(process.url) as telegram: ...

By hand: `python -m tests.fakes.telegram --port 0` prints {"port": N}; then read
`/_control/chat/<id>` and `/_control/log`. Not here: methods in a webhook's answer, expiry of
updates after a day, the pause of three seconds for a getUpdates repeated too soon.
"""

from tests.fakes.faults import Fault, Logged
from tests.fakes.telegram.server import TOKEN, TelegramServer
from tests.fakes.telegram.user import (
    UNLIMITED,
    ChatView,
    Pace,
    RemoteTelegram,
    Said,
    State,
    TelegramUser,
)
from tests.fakes.telegram.world import Button, Shown

__all__ = [
    "TOKEN",
    "UNLIMITED",
    "Button",
    "ChatView",
    "Fault",
    "Logged",
    "Pace",
    "RemoteTelegram",
    "Said",
    "Shown",
    "State",
    "TelegramServer",
    "TelegramUser",
]
