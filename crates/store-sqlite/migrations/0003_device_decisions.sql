-- RFC 8628: what somebody who has signed in decided about a user code. Nothing is stored before.
CREATE TABLE device_decisions (
    user_code   BLOB PRIMARY KEY, -- a hash, of what the code is bound to as well
    server_id   TEXT NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    client_id   TEXT NOT NULL REFERENCES applications (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id  TEXT NOT NULL,
    auth_time   INTEGER NOT NULL,
    amr         TEXT NOT NULL,
    ends        INTEGER NOT NULL,
    state       TEXT NOT NULL,
    state_time  INTEGER NOT NULL,
    reason      TEXT,
    grant_id    TEXT,
    CHECK ((state = 'DENIED') = (reason IS NOT NULL)),
    CHECK ((state = 'REDEEMED') = (grant_id IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX device_decisions_by_user ON device_decisions (user_id);
CREATE INDEX device_decisions_by_client ON device_decisions (client_id);
CREATE INDEX device_decisions_by_server ON device_decisions (server_id);
CREATE INDEX device_decisions_by_end ON device_decisions (ends);
