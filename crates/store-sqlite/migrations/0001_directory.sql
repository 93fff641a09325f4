-- Times are microseconds since 1970 (UTC); lists and open-ended settings are JSON; secrets are hashes or sealed.

CREATE TABLE directory (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    revision      INTEGER NOT NULL,
    sealed_check  BLOB
) STRICT;
INSERT INTO directory (id, revision) VALUES (1, 0);

CREATE TABLE users (
    id                TEXT PRIMARY KEY,
    login_folded      TEXT NOT NULL UNIQUE,
    status            TEXT NOT NULL,
    profile           TEXT NOT NULL,
    password          TEXT,
    created           INTEGER NOT NULL,
    activated         INTEGER,
    status_changed    INTEGER,
    last_updated      INTEGER NOT NULL,
    last_login        INTEGER,
    password_changed  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE groups (
    id                       TEXT PRIMARY KEY,
    name                     TEXT NOT NULL UNIQUE,
    description              TEXT NOT NULL,
    group_type               TEXT NOT NULL,
    created                  INTEGER NOT NULL,
    last_updated             INTEGER NOT NULL,
    last_membership_updated  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE group_members (
    group_id  TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_members_by_user ON group_members (user_id);

CREATE TABLE applications (
    id                          TEXT PRIMARY KEY,
    client_id                   TEXT NOT NULL UNIQUE,
    label                       TEXT NOT NULL,
    status                      TEXT NOT NULL,
    application_type            TEXT NOT NULL,
    token_endpoint_auth_method  TEXT NOT NULL,
    jwks                        TEXT,
    jwks_uri                    TEXT,
    pkce_required               INTEGER NOT NULL,
    grant_types                 TEXT NOT NULL,
    response_types              TEXT NOT NULL,
    redirect_uris               TEXT NOT NULL,
    post_logout_redirect_uris   TEXT NOT NULL,
    refresh_leeway_ms           INTEGER, -- NULL: refresh tokens are not rotated
    other                       TEXT NOT NULL,
    created                     INTEGER NOT NULL,
    last_updated                INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE client_secrets (
    id              TEXT PRIMARY KEY,
    application_id  TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    hash            BLOB NOT NULL,
    sealed          BLOB NOT NULL,
    status          TEXT NOT NULL,
    created         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX client_secrets_by_application ON client_secrets (application_id);

CREATE TABLE application_groups (
    application_id  TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    group_id        TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    priority        INTEGER NOT NULL,
    last_updated    INTEGER NOT NULL,
    PRIMARY KEY (application_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX application_groups_by_group ON application_groups (group_id);

CREATE TABLE application_users (
    application_id  TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    last_updated    INTEGER NOT NULL,
    PRIMARY KEY (application_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX application_users_by_user ON application_users (user_id);

CREATE TABLE authorization_servers (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    audiences      TEXT NOT NULL,
    status         TEXT NOT NULL,
    rotation_mode  TEXT NOT NULL,
    algorithm      TEXT NOT NULL,
    created        INTEGER NOT NULL,
    last_updated   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE scopes (
    id                TEXT PRIMARY KEY,
    server_id         TEXT NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    name              TEXT NOT NULL,
    display_name      TEXT,
    description       TEXT NOT NULL,
    consent           TEXT NOT NULL,
    metadata_publish  TEXT NOT NULL,
    is_default        INTEGER NOT NULL,
    optional          INTEGER NOT NULL,
    system            INTEGER NOT NULL,
    UNIQUE (server_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE claims (
    id                       TEXT PRIMARY KEY,
    server_id                TEXT NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    name                     TEXT NOT NULL,
    status                   TEXT NOT NULL,
    claim_type               TEXT NOT NULL,
    value                    TEXT NOT NULL,
    group_filter_type        TEXT, -- NULL: the value is an expression
    always_include_in_token  INTEGER NOT NULL,
    scopes                   TEXT NOT NULL,
    system                   INTEGER NOT NULL,
    UNIQUE (server_id, claim_type, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE policies (
    id            TEXT PRIMARY KEY,
    server_id     TEXT NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    description   TEXT NOT NULL,
    status        TEXT NOT NULL,
    priority      INTEGER NOT NULL,
    clients       TEXT NOT NULL,
    system        INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    last_updated  INTEGER NOT NULL,
    UNIQUE (server_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE rules (
    id                      TEXT PRIMARY KEY,
    policy_id               TEXT NOT NULL REFERENCES policies (id) ON DELETE CASCADE,
    name                    TEXT NOT NULL,
    status                  TEXT NOT NULL,
    priority                INTEGER NOT NULL,
    grant_types             TEXT NOT NULL,
    people                  TEXT NOT NULL,
    scopes                  TEXT NOT NULL,
    access_token_minutes    INTEGER NOT NULL,
    refresh_token_minutes   INTEGER NOT NULL, -- 0: unlimited
    refresh_window_minutes  INTEGER NOT NULL,
    id_token_minutes        INTEGER,          -- NULL: as long as the access token
    system                  INTEGER NOT NULL,
    created                 INTEGER NOT NULL,
    last_updated            INTEGER NOT NULL,
    UNIQUE (policy_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_keys (
    server_id     TEXT NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    kid           TEXT NOT NULL,
    algorithm     TEXT NOT NULL,
    public_jwk    TEXT NOT NULL,
    sealed_pkcs8  BLOB NOT NULL,
    state         TEXT NOT NULL,
    state_time    INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    PRIMARY KEY (server_id, kid)
) STRICT, WITHOUT ROWID;
-- Of two replicas that make a key at once, one loses.
CREATE UNIQUE INDEX one_signing_key ON signing_keys (server_id) WHERE state = 'SIGNING';
CREATE UNIQUE INDEX one_published_key ON signing_keys (server_id) WHERE state = 'PUBLISHED';

CREATE TABLE sessions (
    token         BLOB PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time     INTEGER NOT NULL,
    amr           TEXT NOT NULL,
    created       INTEGER NOT NULL,
    last_used     INTEGER NOT NULL,
    idle          INTEGER NOT NULL, -- microseconds
    absolute_end  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE codes (
    hash            BLOB PRIMARY KEY,
    grant_id        TEXT NOT NULL,
    server_id       TEXT NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    client_id       TEXT NOT NULL REFERENCES applications (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id      TEXT NOT NULL,
    redirect_uri    TEXT NOT NULL,
    scopes          TEXT NOT NULL,
    nonce           TEXT,
    code_challenge  TEXT,
    auth_time       INTEGER NOT NULL,
    amr             TEXT NOT NULL,
    other           TEXT NOT NULL,
    issued          INTEGER NOT NULL,
    redeemed        INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_by_user ON codes (user_id);
CREATE INDEX codes_by_client ON codes (client_id);
CREATE INDEX codes_by_server ON codes (server_id);
CREATE INDEX codes_by_issue ON codes (issued);

CREATE TABLE refresh_families (
    grant_id      TEXT PRIMARY KEY,
    server_id     TEXT NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    client_id     TEXT NOT NULL REFERENCES applications (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id    TEXT NOT NULL,
    scopes        TEXT NOT NULL,
    auth_time     INTEGER NOT NULL,
    amr           TEXT NOT NULL,
    created       INTEGER NOT NULL,
    absolute_end  INTEGER,
    idle_end      INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    current       BLOB NOT NULL,
    rotated       INTEGER NOT NULL,
    chain_key     BLOB NOT NULL,
    ended         INTEGER,
    end_reason    TEXT,
    CHECK ((ended IS NULL) = (end_reason IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_families_by_user ON refresh_families (user_id);
CREATE INDEX refresh_families_by_client ON refresh_families (client_id);
CREATE INDEX refresh_families_by_server ON refresh_families (server_id);

CREATE TABLE throttles (
    key       BLOB PRIMARY KEY,
    attempts  INTEGER NOT NULL,
    last      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX throttles_by_weight ON throttles (attempts, last);

CREATE TABLE audit_events (
    id          TEXT PRIMARY KEY,
    published   INTEGER NOT NULL,
    event_type  TEXT NOT NULL,
    actor       TEXT NOT NULL,
    target      TEXT,
    outcome     TEXT NOT NULL,
    message     TEXT NOT NULL,
    details     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_events_by_time ON audit_events (published);
