"""The core's settings: one frozen struct a section, defaults inline, units in the names.

An adapter's settings stand beside the adapter; where values come from is `config.load`'s business.
"""

import re
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct, field

from clawdbot.domain.policy import Effect
from clawdbot.domain.secret import Secret

Seconds = Annotated[float, Meta(gt=0)]  # written as `seconds` reads it
Count = Annotated[int, Meta(ge=1)]
Money = Annotated[float, Meta(ge=0)]
HostPort = Annotated[str, Meta(pattern=r"^\S+:\d{1,5}$")]
Value = str | float | bool | list[str] | None  # what is written to `settings.yaml`
Url = Annotated[str, Meta(pattern=r"^(https?://[^\s/@?#]+(/\S*)?)?$")]

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s?([smhd]?)", re.ASCII)


def seconds(text: str) -> float:
    """Read a time: `90`, `0.5s`, `10m`, `4h`, `7d`; raises ValueError for anything else."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(text)
    return float(found[1]) * _UNITS[found[2]]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the settings; unknown keys are errors, `later` are keys without effect as yet."""

    later: ClassVar[tuple[str, ...]] = ()


class Gateway(Section, frozen=True):
    """The one HTTP server: `public_url` is the address that platforms reach, where there is one."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    public_url: Url = ""
    trusted_proxies: tuple[str, ...] = ()
    body_max_bytes: Count = 1_048_576


class Net(Section, frozen=True):
    """Outgoing connections: a proxy (`http://host:port`), a private CA, the time-out.

    `private` names what tools may reach at private addresses, where their own lists have it too.
    """

    proxy: str = ""
    ca_file: str = ""
    connect_timeout_s: Seconds = 10.0
    private: tuple[HostPort, ...] = ()


class Protocol(StrEnum):
    """The languages that model endpoints speak."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OFFLINE = "offline"
    SCRIPTED = "scripted"


class Price(Section, frozen=True):
    """What a model costs, in US dollars per million tokens in and out."""

    in_: Money = field(default=0.0, name="in")
    out: Money = 0.0


class Provider(Section, frozen=True):
    """A model endpoint; without `model` the endpoint's own list decides."""

    protocol: Protocol = Protocol.OPENAI
    url: Url = ""
    auth: Secret = field(default_factory=lambda: Secret(""))
    model: str = ""
    timeout_s: Seconds = 30.0
    retries: Annotated[int, Meta(ge=0, le=3)] = 3
    script: str = ""
    price: Price | None = None


class Route(Section, frozen=True):
    """Which provider answers, and how; `when` limits a route to channels, users or commands."""

    provider: str
    model: str = ""
    max_tokens: Count = 2000
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.7
    when: "When | None" = None


class When(Section, frozen=True):
    """For whom a route is; empty lists match all."""

    channels: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


class Models(Section, frozen=True):
    """Deadlines that all routes share: to the first token, its last part the emergency's."""

    first_token_s: Seconds = 45.0
    emergency_s: Seconds = 10.0
    breaker_failures: Count = 3
    breaker_open_s: Seconds = 30.0


class Scope(StrEnum):
    """Whose messages share a conversation."""

    SENDER = "sender"
    CHAT = "chat"
    THREAD = "thread"


class Access(StrEnum):
    """Who may talk to us at all."""

    CLOSED = "closed"
    PAIRING = "pairing"
    ALLOWLIST = "allowlist"
    OPEN = "open"


class WhileBusy(StrEnum):
    """What a message does that arrives during a turn."""

    QUEUE = "queue"
    COLLECT = "collect"
    INTERRUPT = "interrupt"


class Answers(StrEnum):
    """Whom we answer in a group: whoever the account's access lets in, all others too, or none."""

    PAIRED = "paired"
    EVERYBODY = "everybody"
    NOBODY = "nobody"


class Speaks(StrEnum):
    """When we answer in a group: where we are named or replied to, or always."""

    MENTIONED = "mentioned"
    ALWAYS = "always"


class Group(Section, frozen=True):
    """What holds in a group; whoever speaks there may no more than the role `ceiling` does."""

    answers: Answers = Answers.PAIRED
    speaks: Speaks = Speaks.MENTIONED
    ceiling: str = "member"
    language: Literal["", "en", "zh"] = ""


class Session(Section, frozen=True):
    """One block per channel account: how conversations are cut and who may hold them."""

    later: ClassVar[tuple[str, ...]] = ("link", "outside_window", "reply_window", "retention")

    scope: Scope = Scope.SENDER
    idle_s: Seconds = field(default=4 * 3600.0, name="idle")
    max_age_s: Seconds = field(default=24 * 3600.0, name="max_age")
    reset: tuple[str, ...] = ("/new", "新对话")
    while_busy: WhileBusy = WhileBusy.QUEUE
    access: Access = Access.PAIRING
    allow: tuple[str, ...] = ()
    group: Group = Group()


class Account(Section, frozen=True):
    """What every channel account has: one that is `paused` neither receives nor sends."""

    paused: bool = False
    session: Session = Session()


class Turns(Section, frozen=True):
    """Budgets of one turn, and how often a turn is tried that makes no progress."""

    steps: Count = 12
    tokens: Count = 60_000
    seconds: Seconds = 600.0
    attempts: Count = 3
    approval_s: Seconds = 24 * 3600.0
    context_tokens: Count = 16_000
    compact_tokens: Count = 12_000


class Limits(Section, frozen=True):
    """Floods: messages a minute per sender, open turns per conversation, pairing codes per hour."""

    messages_per_minute: Count = 30
    waiting_per_conversation: Count = 50
    pairings_per_sender: Count = 3
    pairings_in_all: Count = 20
    pairing_s: Seconds = 3600.0


class Budgets(Section, frozen=True):
    """US dollars a day, for each user and for all together (0: no limit); `warn` at this share."""

    user_day: Money = 0.0
    all_day: Money = 0.0
    warn: Annotated[float, Meta(gt=0, le=1)] = 0.8


class ToolLimits(Section, frozen=True):
    """How often each user may have a tool called in an hour."""

    per_hour: Count


class FileRoot(Section, frozen=True):
    """A folder of the host that the file tools may see, and which roles may use it."""

    path: str
    write: bool = False
    roles: tuple[str, ...] = ("owner",)


class Shell(Section, frozen=True):
    """Commands in the sandbox: how long one may run, what it may use, what it must leave free."""

    wall_s: Seconds = 900.0
    memory_mb: Count = 1024
    output_bytes: Count = 1_048_576
    leave_mb: Count = 512


class McpServer(Section, frozen=True):
    """A tool server: a `command` in a box that sees its `folder`, or a `url`; what it may do."""

    command: tuple[str, ...] = ()
    folder: str = ""
    paths: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    env: dict[str, Secret] = field(default_factory=dict)
    url: Url = ""
    headers: dict[str, Secret] = field(default_factory=dict)
    effect: Effect = Effect.READ
    timeout_s: Seconds = 30.0
    memory_mb: Count = 1024


class Mcp(Section, frozen=True):
    """Servers of tools that speak the Model Context Protocol, by name."""

    servers: dict[str, McpServer] = field(default_factory=dict)


class Outbox(Section, frozen=True):
    """Delivery: age limit, how long a head may block, retries and their first wait."""

    age_s: Seconds = 24 * 3600.0
    head_blocks_s: Seconds = 120.0
    attempts: Count = 12
    backoff_s: Seconds = 1.0
    backoff_max_s: Seconds = 300.0
    stub_after_s: Seconds = 0.3


class Store(Section, frozen=True):
    """The embedded database: below `low_water_mb` free nothing is accepted; ballast frees room."""

    low_water_mb: Annotated[int, Meta(ge=0)] = 64
    ballast_mb: Annotated[int, Meta(ge=0)] = 16
    busy_timeout_s: Seconds = 10.0


class Media(Section, frozen=True):
    """Files that people send: how large each, all of a user, all on the disk; how long they stay.

    `unsent` are those that were uploaded and then not sent.
    """

    file_mb: Count = 20
    user_mb: Count = 500
    all_mb: Count = 4096
    keep_s: Seconds = field(default=365 * 86400.0, name="keep")
    unsent_s: Seconds = field(default=86400.0, name="unsent")


class Web(Section, frozen=True):
    """What tools may ask of the web: pages of `hosts`, requests to `http_hosts`, at what cost."""

    hosts: tuple[str, ...] = ("*",)
    http_hosts: tuple[str, ...] = ()
    timeout_s: Seconds = 20.0
    body_max_bytes: Count = 2_097_152
    redirects: Annotated[int, Meta(ge=0, le=20)] = 5


class Search(Section, frozen=True):
    """A search engine: SearXNG's address, or one with `{query}` and where its JSON has what."""

    url: Url = ""
    key: Secret = field(default_factory=lambda: Secret(""))
    key_header: str = "Authorization"
    list: str = "results"
    title: str = "title"
    link: str = "url"
    text: str = "content"
    results: Count = 8
    timeout_s: Seconds = 15.0


class Login(Section, frozen=True):
    """Logging in: roles that need a second factor, how long a log-in holds, what locks it out.

    After `failures` wrong tries a name or address waits `lock`, twice as long each time after.
    """

    totp: tuple[str, ...] = ()
    length_s: Seconds = field(default=30 * 86400.0, name="length")
    idle_s: Seconds = field(default=14 * 86400.0, name="idle")
    failures: Count = 5
    lock_s: Seconds = field(default=2.0, name="lock")
    lock_most_s: Seconds = field(default=900.0, name="lock_most")


class Logs(Section, frozen=True):
    """What is logged: the least level, the size of a file and how many are kept."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file_mb: Count = 20
    files: Count = 5


class Audit(Section, frozen=True):
    """The audit trail: when its end is signed, and the file that the signatures go to as well."""

    export: str = ""
    checkpoint_s: Seconds = 300.0
    checkpoint_rows: Count = 1000


class Core(Section, frozen=True):
    """Everything that is not an adapter's own."""

    environment: Literal["test", "staging", "production"] = "production"
    language: Literal["en", "zh"] = "en"
    timezone: str = "UTC"
    gateway: Gateway = Gateway()
    net: Net = Net()
    providers: dict[str, Provider] = field(default_factory=dict)
    model_routing: dict[str, Route] = field(default_factory=dict)
    models: Models = Models()
    turns: Turns = Turns()
    limits: Limits = Limits()
    budgets: Budgets = Budgets()
    tools: dict[str, ToolLimits] = field(default_factory=dict)
    outbox: Outbox = Outbox()
    store: Store = Store()
    media: Media = Media()
    web: Web = Web()
    search: Search = field(default_factory=Search)
    login: Login = Login()
    logs: Logs = Logs()
    files: dict[str, FileRoot] = field(default_factory=dict)
    shell: Shell = Shell()
    audit: Audit = Audit()
    mcp: Mcp = field(default_factory=Mcp)
