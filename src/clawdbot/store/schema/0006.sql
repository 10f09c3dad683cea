-- Group chats, each with a policy of its own: a new one gets its account's. `receiver` and `chat` are the
-- platform's names for us and for the group.
CREATE TABLE group_chats (
    id         TEXT PRIMARY KEY,
    receiver   TEXT NOT NULL,
    chat       TEXT NOT NULL,
    channel    TEXT NOT NULL,
    account    TEXT NOT NULL,
    name       TEXT NOT NULL,
    answers    TEXT NOT NULL,
    speaks     TEXT NOT NULL,
    ceiling    TEXT NOT NULL,
    language   TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    seen_at    DOUBLE PRECISION NOT NULL,
    UNIQUE (receiver, chat)
);
