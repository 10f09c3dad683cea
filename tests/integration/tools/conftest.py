"""What the tools' tests act as: an owner in a conversation."""

from pathlib import Path

import msgspec

from clawdbot.domain.inbound import Address
from clawdbot.domain.messages import Call, Source
from clawdbot.domain.people import User
from clawdbot.store.rights import NewStanding
from clawdbot.tools.registry import Grant, Registry, Tool

ANN = User("u1", "Ann", "owner", "en", "Europe/Berlin")


class Hand(msgspec.Struct):
    """Calls tools for a user in a conversation, as a turn would."""

    tools: tuple[Tool, ...]
    user: User = ANN
    conversation: str = "c1"
    _count: list[int] = msgspec.field(default_factory=lambda: [0])

    async def __call__(self, tool: str, **arguments: object) -> str:
        self._count[0] += 1
        grant = Grant(
            user=self.user,
            to=Address(channel="telegram", account="main", chat="5"),
            language="en",
            timezone="Europe/Berlin",
            now=1_750_000_000.0,
            id=f"t1.{self._count[0]}.0",
            source=Source.MODEL,
            tainted=False,
            conversation=self.conversation,
        )
        text = msgspec.json.encode(arguments).decode()
        call = Call(id="0.0", tool=tool, arguments=text, source=Source.MODEL)
        return (await Registry(self.tools).call(grant, call).run()).decode()


def standing(id_: str, tool: str, pattern: dict[str, str]) -> NewStanding:
    """Say yes to a tool in advance, as Ann."""
    return NewStanding(
        id=id_,
        user_id="",
        tool=tool,
        pattern=pattern,
        conversation_id="",
        granted_by=ANN.id,
        created_at=1.0,
    )


def tree(folder: Path) -> dict[str, bytes]:
    """Read every file beneath a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
