-- Who was erased: an id and a time, so that what names them still means somebody. Until `finished_at` is set
-- the erasure goes on, whatever happened meanwhile.
CREATE TABLE erasures (
    user_id     TEXT PRIMARY KEY,
    erased_at   DOUBLE PRECISION NOT NULL,
    finished_at DOUBLE PRECISION
);
