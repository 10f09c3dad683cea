"""The audit trail: rows of a hash chain, one chain a life of a node, under one line of signatures.

    row        hash = SHA-256(JSON of [chain, place, at, ..., payload's SHA-256, previous])
    arguments  their hash; a person's effects': "hmac:" + HMAC-SHA256(person's key, hash)
    checkpoint signature = Ed25519(JSON of [number, chain, place, root, at, previous])

A row is appended in the transaction of what it tells; the chain's head is read there too, so what
is undone leaves no gap. `store/proof.py` checks all of it.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec.structs import asdict, replace

from clawdbot.domain.ports import Tx
from clawdbot.store.vault import KEY_BYTES, Key, Vault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SIGNER = "audit_signer"
_SUBJECTS_MOST = 256
_TEXTS = (
    "user_id", "turn_id", "step", "kind", "what", "decision", "rule", "arguments", "outcome",
)  # fmt: skip

# Before the arguments' hash of a row, where it is made with its subject's key.
KEYED = "hmac:"

_FILTERS = ("user", "turn", "what", "kind", "decision", "since", "until", "most")
_read_texts: "Callable[[Entry | Row], tuple[str, ...]]" = attrgetter(*_TEXTS)


class Kind(StrEnum):
    """What a row tells of."""

    EFFECT = "effect"
    DECISION = "decision"
    SECRET = "secret"  # noqa: S105 - a word, no password
    ADMIN = "admin"


_PERSONAL = {Kind.EFFECT, Kind.DECISION}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What happens: who, why (turn, step), what, decided how; `arguments` is their hash.

    Its outcome is another entry, with the same turn and step. `payload` is sealed under the key of
    its subject, the user, and so is the hash of an effect's or a decision's arguments.
    """

    at: float
    kind: Kind
    what: str
    user_id: str = ""
    turn_id: str = ""
    step: str = ""
    decision: str = ""
    rule: str = ""
    arguments: str = ""
    outcome: str = ""
    payload: bytes = b""


class Row(msgspec.Struct, frozen=True):
    """An entry as the chain holds it."""

    chain: str
    place: int
    at: float
    user_id: str
    turn_id: str
    step: str
    kind: str
    what: str
    decision: str
    rule: str
    arguments: str
    outcome: str
    payload: bytes
    previous: str
    hash: str


class Checkpoint(msgspec.Struct, frozen=True):
    """A signed statement that row `place` of a chain has the hash `root`."""

    number: int
    chain: str
    place: int
    root: str
    at: float
    previous: str
    key: str
    signature: str


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rows to read: empty matches all; `after` is the last row of the page before.

    `content` asks for what is sealed in them as well.
    """

    user: str = ""
    turn: str = ""
    what: str = ""
    kind: str = ""
    decision: str = ""
    since: float = 0.0
    until: float = 1e15
    after: tuple[float, str, int] | None = None
    most: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 100
    newest: bool = False
    content: bool = False


class Audit:
    """The chain of this life of a node; `full` is called when `rows` wait for a checkpoint."""

    def __init__(
        self, vault: Vault, chain: str, rows: int = 1000, full: Callable[[], object] = lambda: None
    ) -> None:
        """Begin a chain; its name is `node:boot` and must be new."""
        self._vault = vault
        self._chain = chain
        self._rows = rows
        self._fresh = 0
        self._subjects: dict[bytes, Key] = {}  # by their sealed form, which is read every time
        self.full = full

    def append(self, tx: Tx, entry: Entry) -> str:
        """Add a row to the chain, in the caller's transaction, and return its hash."""
        place, previous = tx.one(_head, "audit.head", chain=self._chain) or (0, "")
        place, at = place + 1, float(entry.at)
        entry, payload = self._closed(tx, entry, place)
        texts = _texts_of(entry)
        hashed = _hash(self._chain, place, at, texts, payload, previous)
        tx.run(
            "audit.append",
            chain=self._chain,
            place=place,
            at=at,
            payload=payload,
            previous=previous,
            hash=hashed,
            **dict(zip(_TEXTS, texts, strict=True)),
        )
        self._fresh += 1  # roughly: what is undone counts too, and makes a checkpoint come early
        if self._fresh == self._rows:
            self.full()
        return hashed

    def checkpoint(self, tx: Tx, signer: "Signer", at: float) -> list[Checkpoint]:
        """Sign the head of every chain that went on since its last checkpoint."""
        made: list[Checkpoint] = []
        end = last(tx)
        for chain, place, root in tx.all(_end, "audit.fresh"):
            number, previous = (end.number + 1, link_of(end)) if end else (1, "")
            bare = Checkpoint(number, chain, place, root, at, previous, signer.public, "")
            end = signer.signed(bare)
            tx.run("checkpoints.add", **asdict(end))
            made.append(end)
        self._fresh = 0
        return made

    def _closed(self, tx: Tx, entry: Entry, place: int) -> tuple[Entry, bytes]:
        """Close what only its subject's key may tell: the arguments' hash, and the payload."""
        keyed = entry.arguments and entry.kind in _PERSONAL
        if not keyed and not entry.payload:
            return entry, b""
        key = self._key(tx, entry)
        if keyed:
            entry = replace(entry, arguments=KEYED + key.mac(entry.arguments))
        sealed = f"audit {self._chain} {place}"
        return entry, key.seal(sealed, entry.payload) if entry.payload else b""

    def _key(self, tx: Tx, entry: Entry) -> Key:
        user = _subject(entry.user_id)
        known = tx.one(bytes, "subject_keys.get", user_id=entry.user_id)
        if known is None:
            fresh = os.urandom(KEY_BYTES)
            known = self._vault.seal(user, fresh)
            tx.run("subject_keys.put", user_id=entry.user_id, sealed=known, now=entry.at)
        if (key := self._subjects.get(known)) is None:
            if len(self._subjects) >= _SUBJECTS_MOST:
                self._subjects.clear()
            key = self._subjects[known] = Key(self._vault.open(user, known))
        return key


class Signer:
    """Signs checkpoints; its key is kept sealed, so that who only has the data cannot forge."""

    def __init__(self, text: bytes) -> None:
        """Use a private key of 32 bytes."""
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - slow

        self._key: Ed25519PrivateKey = ed25519.Ed25519PrivateKey.from_private_bytes(text)
        self.public = self._key.public_key().public_bytes_raw().hex()

    def signed(self, bare: Checkpoint) -> Checkpoint:
        """Sign a checkpoint."""
        return replace(bare, signature=self._key.sign(signed_text(bare)).hex())


def signer(tx: Tx, vault: Vault) -> Signer | None:
    """Open the key of the checkpoints, where there is one; raises SealBroken."""
    kept = tx.one(str, "meta.get", key=_SIGNER)
    return None if kept is None else Signer(vault.open(_SIGNER, b64decode(kept)))


def waiting(tx: Tx) -> bool:
    """Tell whether a chain went on since its last checkpoint."""
    return bool(tx.all(_end, "audit.fresh"))


def make_signer(tx: Tx, vault: Vault) -> Signer:
    """Open the key of the checkpoints, or make it."""
    if (known := signer(tx, vault)) is not None:
        return known
    fresh = os.urandom(KEY_BYTES)
    _keep_signer(tx, vault, fresh)
    return Signer(fresh)


def find(tx: Tx, query: Query) -> list[Row]:
    """List the rows that fit, a page in order of time, or from the newest backwards."""
    start = (2e15, "\U0010ffff", 2**62) if query.newest else (-1.0, "", 0)
    at, chain, place = query.after or start
    name = "audit.newest" if query.newest else "audit.find"
    return tx.all(
        Row,
        name,
        at=at,
        chain=chain,
        place=place,
        **{key: getattr(query, key) for key in _FILTERS},
    )


def decided(tx: Tx, turn: str) -> dict[str, tuple[str, str]]:
    """Tell the last decision on each step of a turn, with its rule."""
    found = tx.all(
        lambda step, decision, rule: (str(step), (str(decision), str(rule))),
        "audit.of_turn",
        turn_id=turn,
    )
    return dict(found)


def row(tx: Tx, chain: str, place: int) -> Row | None:
    """Read one row."""
    return tx.one(Row, "audit.page", chain=chain, after=place - 1, most=1)


def last(tx: Tx) -> Checkpoint | None:
    """Read the last checkpoint."""
    return tx.one(Checkpoint, "checkpoints.last")


def content(tx: Tx, vault: Vault, row: Row) -> bytes:
    """Open a row's payload; empty where it has none, or its subject was erased."""
    known = tx.one(bytes, "subject_keys.get", user_id=row.user_id)
    if known is None or not row.payload:
        return b""
    key = Key(vault.open(_subject(row.user_id), known))
    # A key made after an erasure does not open what was sealed before it.
    return key.open(f"audit {row.chain} {row.place}", row.payload) if key.made(row.payload) else b""


def erase(tx: Tx, user: str) -> bool:
    """Make a person's payloads and argument hashes meaningless for good; the chains stay valid."""
    return tx.run("subject_keys.remove", user_id=user) == 1


def reseal(tx: Tx, vault: Vault) -> None:
    """Seal the keys of people and checkpoints under the newest master key."""
    for user, sealed in tx.all(_pair, "subject_keys.list"):
        fresh = vault.seal(_subject(user), vault.open(_subject(user), sealed))
        tx.run("subject_keys.put", user_id=user, sealed=fresh, now=0.0)
    if (kept := tx.one(str, "meta.get", key=_SIGNER)) is not None:
        _keep_signer(tx, vault, vault.open(_SIGNER, b64decode(kept)))


def hash_of(row: Row) -> str:
    """Compute what a row's hash must be."""
    return _hash(row.chain, row.place, row.at, _read_texts(row), row.payload, row.previous)


def link_of(checkpoint: Checkpoint) -> str:
    """Compute what the next checkpoint names as `previous`."""
    return sha256(signed_text(checkpoint) + bytes.fromhex(checkpoint.signature)).hexdigest()


def signed_text(c: Checkpoint) -> bytes:
    """Give what a checkpoint's signature is over."""
    return msgspec.json.encode([c.number, c.chain, c.place, c.root, c.at, c.previous])


def _hash(
    chain: str, place: int, at: float, texts: tuple[str, ...], payload: bytes, previous: str
) -> str:
    content = sha256(payload).hexdigest() if payload else ""
    whole = (chain, place, at, *texts, content, previous)
    return sha256(msgspec.json.encode(whole)).hexdigest()


def _texts_of(entry: Entry) -> tuple[str, ...]:
    """Give an entry's texts as every database keeps them: no NUL, no lone surrogate."""
    texts = _read_texts(entry)
    if (whole := "".join(texts)).isascii() and "\0" not in whole:
        return texts
    clean = (text.replace("\0", "\N{REPLACEMENT CHARACTER}") for text in texts)
    return tuple(text.encode(errors="replace").decode() for text in clean)


def _subject(user: str) -> str:
    return f"subject_keys {user}"


def _keep_signer(tx: Tx, vault: Vault, text: bytes) -> None:
    tx.run("meta.set", key=_SIGNER, value=b64encode(vault.seal(_SIGNER, text)).decode())


def _head(place: object, root: object) -> tuple[int, str]:
    return int(str(place)), str(root)


def _end(chain: object, place: object, root: object) -> tuple[str, int, str]:
    return str(chain), int(str(place)), str(root)


def _pair(user: str, sealed: bytes) -> tuple[str, bytes]:
    return user, sealed
