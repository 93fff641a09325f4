-- Clients that are to be told that a session was ended (OpenID Connect Back-Channel Logout 1.0). Whoever delivers moves
-- `due` ahead, so that another replica takes over if nothing more is heard.
CREATE TABLE logout_deliveries (
    session_id  TEXT NOT NULL,
    client_id   TEXT NOT NULL REFERENCES applications (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    server_id   TEXT NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    user_id     TEXT NOT NULL, -- who may be gone by then
    created     INTEGER NOT NULL,
    due         INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    PRIMARY KEY (session_id, client_id, server_id)
) STRICT;
CREATE INDEX logout_deliveries_by_client ON logout_deliveries (client_id);
CREATE INDEX logout_deliveries_by_server ON logout_deliveries (server_id);
CREATE INDEX logout_deliveries_by_due ON logout_deliveries (due);
