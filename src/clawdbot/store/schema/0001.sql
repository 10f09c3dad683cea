-- The tables that are the truth. One schema for both engines: every type is one that SQLite and
-- PostgreSQL read alike (BYTEA holds JSON). A partial index serves a query only if the query repeats
-- the index's condition word for word. Times are seconds since 1970, for showing and expiry only;
-- order comes from `position`. Every row about a person names its subject in `user_id`.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE users (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    role        TEXT NOT NULL,
    language    TEXT NOT NULL,
    timezone    TEXT NOT NULL,
    password    TEXT NOT NULL,
    created_at  DOUBLE PRECISION NOT NULL,
    disabled_at DOUBLE PRECISION
);

CREATE TABLE identities (
    platform   TEXT NOT NULL,
    external   TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id),
    name       TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (platform, external)
);
CREATE INDEX identities_user ON identities (user_id);

-- Strangers who were given a code; `held` names the inbox row that waits for it.
CREATE TABLE pairings (
    code_hash  TEXT PRIMARY KEY,
    platform   TEXT NOT NULL,
    external   TEXT NOT NULL,
    name       TEXT NOT NULL,
    language   TEXT NOT NULL,
    held       TEXT NOT NULL,
    state      TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX pairings_sender ON pairings (platform, external, created_at);
CREATE INDEX pairings_created ON pairings (created_at);

-- One row a lane. `session_id` is the session that new turns belong to.
CREATE TABLE conversations (
    id            TEXT PRIMARY KEY,
    receiver      TEXT NOT NULL,
    scope         TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    address       BYTEA NOT NULL,
    title         TEXT NOT NULL,
    model         TEXT NOT NULL,
    session_id    TEXT NOT NULL,
    session_from  DOUBLE PRECISION NOT NULL,
    session_last  DOUBLE PRECISION NOT NULL,
    next_position BIGINT NOT NULL,
    created_at    DOUBLE PRECISION NOT NULL,
    UNIQUE (receiver, scope)
);
CREATE INDEX conversations_user ON conversations (user_id);

-- Every verified delivery, once: `key` is the hash of what tells it from others, and outlives the
-- content; `body` is empty where nothing of it may be kept.
CREATE TABLE inbox (
    id              TEXT PRIMARY KEY,
    key             TEXT NOT NULL UNIQUE,
    conversation_id TEXT NOT NULL,
    turn_id         TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    platform        TEXT NOT NULL,
    external        TEXT NOT NULL,
    outcome         TEXT NOT NULL,
    reason          TEXT NOT NULL,
    ref             TEXT NOT NULL,
    album           TEXT NOT NULL,
    place           BIGINT NOT NULL,
    body            BYTEA NOT NULL,
    at              DOUBLE PRECISION NOT NULL
);
CREATE INDEX inbox_turn ON inbox (turn_id, place);
CREATE INDEX inbox_sender ON inbox (platform, external, at);

-- ready -> running -> (parked -> ready ->) done | stopped | dead
CREATE TABLE turns (
    id              TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    session_id      TEXT NOT NULL,
    position        BIGINT NOT NULL,
    user_id         TEXT NOT NULL,
    address         BYTEA NOT NULL,
    reply_to        TEXT NOT NULL,
    state           TEXT NOT NULL,
    stop            TEXT NOT NULL,
    attempts        BIGINT NOT NULL,
    steps           BIGINT NOT NULL,
    steps_seen      BIGINT NOT NULL,
    node            TEXT NOT NULL,
    token           TEXT NOT NULL,
    version         BIGINT NOT NULL,
    body            BYTEA NOT NULL,
    created_at      DOUBLE PRECISION NOT NULL,
    claimed_at      DOUBLE PRECISION,
    finished_at     DOUBLE PRECISION,
    UNIQUE (conversation_id, position)
);
CREATE INDEX turns_open ON turns (conversation_id, position) WHERE finished_at IS NULL;
CREATE INDEX turns_dead ON turns (created_at) WHERE state = 'dead';

-- intent -> done; an intent without outcome after a crash is ambiguous.
CREATE TABLE steps (
    turn_id TEXT NOT NULL REFERENCES turns (id),
    key     TEXT NOT NULL,
    state   TEXT NOT NULL,
    user_id TEXT NOT NULL,
    intent  BYTEA NOT NULL,
    outcome BYTEA NOT NULL,
    source  TEXT NOT NULL,
    taint   BIGINT NOT NULL,
    at      DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (turn_id, key)
);

CREATE TABLE transcript (
    conversation_id TEXT NOT NULL,
    position        BIGINT NOT NULL,
    seq             BIGINT NOT NULL,
    session_id      TEXT NOT NULL,
    turn_id         TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    body            BYTEA NOT NULL,
    taint           BIGINT NOT NULL,
    tokens          BIGINT NOT NULL,
    at              DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (conversation_id, position, seq)
);
CREATE INDEX transcript_session ON transcript (session_id, position, seq);

-- What stands for the turns of a session up to a position; the turns themselves stay.
CREATE TABLE summaries (
    session_id TEXT NOT NULL,
    upto       BIGINT NOT NULL,
    user_id    TEXT NOT NULL,
    body       TEXT NOT NULL,
    source     TEXT NOT NULL,
    taint      BIGINT NOT NULL,
    tokens     BIGINT NOT NULL,
    at         DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (session_id, upto)
);

-- pending -> sending -> sent | unknown | dead; `stub_id` names the row whose shown text is replaced.
CREATE TABLE outbox (
    id          TEXT PRIMARY KEY,
    destination TEXT NOT NULL,
    position    BIGINT NOT NULL,
    address     BYTEA NOT NULL,
    turn_id     TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    kind        TEXT NOT NULL,
    stub_id     TEXT NOT NULL,
    body        BYTEA NOT NULL,
    state       TEXT NOT NULL,
    attempts    BIGINT NOT NULL,
    ref         TEXT NOT NULL,
    reason      TEXT NOT NULL,
    not_before  DOUBLE PRECISION NOT NULL,
    created_at  DOUBLE PRECISION NOT NULL,
    sent_at     DOUBLE PRECISION,
    UNIQUE (destination, position)
);
CREATE INDEX outbox_open ON outbox (destination, position)
    WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_dead ON outbox (created_at) WHERE state IN ('dead', 'unknown');

-- What a parked turn waits for; `answer` is what came.
CREATE TABLE waits (
    id         TEXT PRIMARY KEY,
    turn_id    TEXT NOT NULL REFERENCES turns (id),
    user_id    TEXT NOT NULL,
    state      TEXT NOT NULL,
    answer     BYTEA NOT NULL,
    created_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX waits_turn ON waits (turn_id);

-- kind says who fires it: `wait` (a parked turn's deadline) or `reminder`.
CREATE TABLE timers (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    body       BYTEA NOT NULL,
    state      TEXT NOT NULL,
    due_at     DOUBLE PRECISION NOT NULL,
    created_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX timers_due ON timers (kind, due_at) WHERE state = 'waiting';
CREATE INDEX timers_user ON timers (user_id);

CREATE TABLE notes (
    id      TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    body    TEXT NOT NULL,
    source  TEXT NOT NULL,
    taint   BIGINT NOT NULL,
    at      DOUBLE PRECISION NOT NULL
);
CREATE INDEX notes_user ON notes (user_id, at);

CREATE TABLE usage (
    id            TEXT NOT NULL,
    turn_id       TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    route         TEXT NOT NULL,
    provider      TEXT NOT NULL,
    model         TEXT NOT NULL,
    tokens_in     BIGINT NOT NULL,
    tokens_out    BIGINT NOT NULL,
    first_token_s DOUBLE PRECISION NOT NULL,
    whole_s       DOUBLE PRECISION NOT NULL,
    at            DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (user_id, at, id)
);

-- Browser log-ins and tokens, by the hash of what the client holds.
CREATE TABLE logins (
    hash       TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    csrf       TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    seen_at    DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX logins_user ON logins (user_id);
