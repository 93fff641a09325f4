-- What lets somebody register so many clients (RFC 7591 §3).
CREATE TABLE initial_access_tokens (
    id         TEXT COLLATE "C" PRIMARY KEY,
    hash       BYTEA NOT NULL UNIQUE,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    uses_left  BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL
);
