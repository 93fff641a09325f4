-- Times are microseconds since 1970 (UTC); lists and open-ended settings are JSON; secrets are hashes or sealed.
-- Text is compared byte by byte, whatever the database's own collation. What filters look into stands beside the text
-- as JSONB (…_json), which cannot hold the character 0.

CREATE TABLE directory (
    id            BIGINT PRIMARY KEY CHECK (id = 1),
    revision      BIGINT NOT NULL,
    sealed_check  BYTEA
);
INSERT INTO directory (id, revision) VALUES (1, 0);

CREATE TABLE users (
    id                TEXT COLLATE "C" PRIMARY KEY,
    login_folded      TEXT COLLATE "C" NOT NULL UNIQUE,
    status            TEXT COLLATE "C" NOT NULL,
    profile           TEXT COLLATE "C" NOT NULL,
    password          TEXT COLLATE "C",
    created           BIGINT NOT NULL,
    activated         BIGINT,
    status_changed    BIGINT,
    last_updated      BIGINT NOT NULL,
    last_login        BIGINT,
    password_changed  BIGINT,
    email_folded      TEXT COLLATE "C" NOT NULL,
    profile_json      JSONB GENERATED ALWAYS AS (replace(profile, '\u0000', '\ufffd')::JSONB) STORED
);

CREATE TABLE groups (
    id                       TEXT COLLATE "C" PRIMARY KEY,
    name                     TEXT COLLATE "C" NOT NULL UNIQUE,
    description              TEXT COLLATE "C" NOT NULL,
    group_type               TEXT COLLATE "C" NOT NULL,
    created                  BIGINT NOT NULL,
    last_updated             BIGINT NOT NULL,
    last_membership_updated  BIGINT NOT NULL,
    other                    TEXT COLLATE "C" NOT NULL,
    other_json               JSONB GENERATED ALWAYS AS (replace(other, '\u0000', '\ufffd')::JSONB) STORED
);

CREATE TABLE group_members (
    group_id  TEXT COLLATE "C" NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id   TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    by_rule   BOOLEAN NOT NULL DEFAULT false, -- such a membership goes with the last rule that made it
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_by_user ON group_members (user_id);

CREATE TABLE applications (
    id                          TEXT COLLATE "C" PRIMARY KEY,
    client_id                   TEXT COLLATE "C" NOT NULL UNIQUE,
    label                       TEXT COLLATE "C" NOT NULL,
    status                      TEXT COLLATE "C" NOT NULL,
    application_type            TEXT COLLATE "C" NOT NULL,
    token_endpoint_auth_method  TEXT COLLATE "C" NOT NULL,
    jwks                        TEXT COLLATE "C",
    jwks_uri                    TEXT COLLATE "C",
    pkce_required               BOOLEAN NOT NULL,
    grant_types                 TEXT COLLATE "C" NOT NULL,
    response_types              TEXT COLLATE "C" NOT NULL,
    redirect_uris               TEXT COLLATE "C" NOT NULL,
    post_logout_redirect_uris   TEXT COLLATE "C" NOT NULL,
    refresh_leeway_ms           BIGINT, -- NULL: refresh tokens are not rotated
    other                       TEXT COLLATE "C" NOT NULL,
    created                     BIGINT NOT NULL,
    last_updated                BIGINT NOT NULL,
    api_scopes                  TEXT COLLATE "C" NOT NULL
);

CREATE TABLE client_secrets (
    id              TEXT COLLATE "C" PRIMARY KEY,
    application_id  TEXT COLLATE "C" NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    hash            BYTEA NOT NULL,
    sealed          BYTEA NOT NULL,
    status          TEXT COLLATE "C" NOT NULL,
    created         BIGINT NOT NULL
);
CREATE INDEX client_secrets_by_application ON client_secrets (application_id);

CREATE TABLE application_groups (
    application_id  TEXT COLLATE "C" NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    group_id        TEXT COLLATE "C" NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    priority        BIGINT NOT NULL,
    last_updated    BIGINT NOT NULL,
    profile         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (application_id, group_id)
);
CREATE INDEX application_groups_by_group ON application_groups (group_id);

CREATE TABLE application_users (
    application_id  TEXT COLLATE "C" NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    user_id         TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    last_updated    BIGINT NOT NULL,
    user_name       TEXT COLLATE "C",
    profile         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (application_id, user_id)
);
CREATE INDEX application_users_by_user ON application_users (user_id);

CREATE TABLE authorization_servers (
    id             TEXT COLLATE "C" PRIMARY KEY,
    name           TEXT COLLATE "C" NOT NULL,
    description    TEXT COLLATE "C" NOT NULL,
    audiences      TEXT COLLATE "C" NOT NULL,
    status         TEXT COLLATE "C" NOT NULL,
    rotation_mode  TEXT COLLATE "C" NOT NULL,
    algorithm      TEXT COLLATE "C" NOT NULL,
    created        BIGINT NOT NULL,
    last_updated   BIGINT NOT NULL,
    issuer_mode    TEXT COLLATE "C" NOT NULL
);

CREATE TABLE scopes (
    id                TEXT COLLATE "C" PRIMARY KEY,
    server_id         TEXT COLLATE "C" NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    name              TEXT COLLATE "C" NOT NULL,
    display_name      TEXT COLLATE "C",
    description       TEXT COLLATE "C" NOT NULL,
    consent           TEXT COLLATE "C" NOT NULL,
    metadata_publish  TEXT COLLATE "C" NOT NULL,
    is_default        BOOLEAN NOT NULL,
    optional          BOOLEAN NOT NULL,
    system            BOOLEAN NOT NULL,
    UNIQUE (server_id, name)
);

CREATE TABLE claims (
    id                       TEXT COLLATE "C" PRIMARY KEY,
    server_id                TEXT COLLATE "C" NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    name                     TEXT COLLATE "C" NOT NULL,
    status                   TEXT COLLATE "C" NOT NULL,
    claim_type               TEXT COLLATE "C" NOT NULL,
    value                    TEXT COLLATE "C" NOT NULL,
    group_filter_type        TEXT COLLATE "C", -- NULL: the value is an expression
    always_include_in_token  BOOLEAN NOT NULL,
    scopes                   TEXT COLLATE "C" NOT NULL,
    system                   BOOLEAN NOT NULL,
    UNIQUE (server_id, claim_type, name)
);

CREATE TABLE policies (
    id            TEXT COLLATE "C" PRIMARY KEY,
    server_id     TEXT COLLATE "C" NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    name          TEXT COLLATE "C" NOT NULL,
    description   TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL,
    priority      BIGINT NOT NULL,
    clients       TEXT COLLATE "C" NOT NULL,
    system        BOOLEAN NOT NULL,
    created       BIGINT NOT NULL,
    last_updated  BIGINT NOT NULL,
    UNIQUE (server_id, name)
);

CREATE TABLE rules (
    id                      TEXT COLLATE "C" PRIMARY KEY,
    policy_id               TEXT COLLATE "C" NOT NULL REFERENCES policies (id) ON DELETE CASCADE,
    name                    TEXT COLLATE "C" NOT NULL,
    status                  TEXT COLLATE "C" NOT NULL,
    priority                BIGINT NOT NULL,
    grant_types             TEXT COLLATE "C" NOT NULL,
    people                  TEXT COLLATE "C" NOT NULL,
    scopes                  TEXT COLLATE "C" NOT NULL,
    access_token_minutes    BIGINT NOT NULL,
    refresh_token_minutes   BIGINT NOT NULL, -- 0: unlimited
    refresh_window_minutes  BIGINT NOT NULL,
    id_token_minutes        BIGINT,          -- NULL: as long as the access token
    system                  BOOLEAN NOT NULL,
    created                 BIGINT NOT NULL,
    last_updated            BIGINT NOT NULL,
    UNIQUE (policy_id, name)
);

CREATE TABLE signing_keys (
    server_id     TEXT COLLATE "C" NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    kid           TEXT COLLATE "C" NOT NULL,
    algorithm     TEXT COLLATE "C" NOT NULL,
    public_jwk    TEXT COLLATE "C" NOT NULL,
    sealed_pkcs8  BYTEA NOT NULL,
    state         TEXT COLLATE "C" NOT NULL,
    state_time    BIGINT NOT NULL,
    created       BIGINT NOT NULL,
    PRIMARY KEY (server_id, kid)
);
-- Of two replicas that make a key at once, one loses.
CREATE UNIQUE INDEX one_signing_key ON signing_keys (server_id) WHERE state = 'SIGNING';
CREATE UNIQUE INDEX one_published_key ON signing_keys (server_id) WHERE state = 'PUBLISHED';

CREATE TABLE sessions (
    token         BYTEA PRIMARY KEY,
    id            TEXT COLLATE "C" NOT NULL UNIQUE,
    user_id       TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time     BIGINT NOT NULL,
    amr           TEXT COLLATE "C" NOT NULL,
    created       BIGINT NOT NULL,
    last_used     BIGINT NOT NULL,
    idle          BIGINT NOT NULL, -- microseconds
    absolute_end  BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE codes (
    hash            BYTEA PRIMARY KEY,
    grant_id        TEXT COLLATE "C" NOT NULL,
    server_id       TEXT COLLATE "C" NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    client_id       TEXT COLLATE "C" NOT NULL REFERENCES applications (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    user_id         TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id      TEXT COLLATE "C" NOT NULL,
    redirect_uri    TEXT COLLATE "C" NOT NULL,
    scopes          TEXT COLLATE "C" NOT NULL,
    nonce           TEXT COLLATE "C",
    code_challenge  TEXT COLLATE "C",
    auth_time       BIGINT NOT NULL,
    amr             TEXT COLLATE "C" NOT NULL,
    other           TEXT COLLATE "C" NOT NULL,
    issued          BIGINT NOT NULL,
    redeemed        BIGINT
);
CREATE INDEX codes_by_user ON codes (user_id);
CREATE INDEX codes_by_client ON codes (client_id);
CREATE INDEX codes_by_server ON codes (server_id);
CREATE INDEX codes_by_issue ON codes (issued);

CREATE TABLE refresh_families (
    grant_id      TEXT COLLATE "C" PRIMARY KEY,
    server_id     TEXT COLLATE "C" NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    client_id     TEXT COLLATE "C" NOT NULL REFERENCES applications (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    user_id       TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id    TEXT COLLATE "C" NOT NULL,
    scopes        TEXT COLLATE "C" NOT NULL,
    auth_time     BIGINT NOT NULL,
    amr           TEXT COLLATE "C" NOT NULL,
    created       BIGINT NOT NULL,
    absolute_end  BIGINT,
    idle_end      BIGINT NOT NULL,
    generation    BIGINT NOT NULL,
    current       BYTEA NOT NULL,
    rotated       BIGINT NOT NULL,
    chain_key     BYTEA NOT NULL,
    ended         BIGINT,
    end_reason    TEXT COLLATE "C",
    grant_type    TEXT COLLATE "C" NOT NULL,
    CHECK ((ended IS NULL) = (end_reason IS NULL))
);
CREATE INDEX refresh_families_by_user ON refresh_families (user_id);
CREATE INDEX refresh_families_by_client ON refresh_families (client_id);
CREATE INDEX refresh_families_by_server ON refresh_families (server_id);

CREATE TABLE throttles (
    key       BYTEA PRIMARY KEY,
    attempts  BIGINT NOT NULL,
    last      BIGINT NOT NULL
);
CREATE INDEX throttles_by_weight ON throttles (attempts, last);

CREATE TABLE audit_events (
    id          TEXT COLLATE "C" PRIMARY KEY,
    published   BIGINT NOT NULL,
    event_type  TEXT COLLATE "C" NOT NULL,
    actor       TEXT COLLATE "C" NOT NULL,
    target      TEXT COLLATE "C",
    outcome     TEXT COLLATE "C" NOT NULL,
    message     TEXT COLLATE "C" NOT NULL,
    details     TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_events_by_time ON audit_events (published);

-- RFC 8628: what somebody who has signed in decided about a user code. Nothing is stored before.
CREATE TABLE device_decisions (
    user_code   BYTEA PRIMARY KEY, -- a hash, of what the code is bound to as well
    server_id   TEXT COLLATE "C" NOT NULL REFERENCES authorization_servers (id) ON DELETE CASCADE,
    client_id   TEXT COLLATE "C" NOT NULL REFERENCES applications (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    user_id     TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id  TEXT COLLATE "C" NOT NULL,
    auth_time   BIGINT NOT NULL,
    amr         TEXT COLLATE "C" NOT NULL,
    ends        BIGINT NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    state_time  BIGINT NOT NULL,
    reason      TEXT COLLATE "C",
    grant_id    TEXT COLLATE "C",
    CHECK ((state = 'DENIED') = (reason IS NOT NULL)),
    CHECK ((state = 'REDEEMED') = (grant_id IS NOT NULL))
);
CREATE INDEX device_decisions_by_user ON device_decisions (user_id);
CREATE INDEX device_decisions_by_client ON device_decisions (client_id);
CREATE INDEX device_decisions_by_server ON device_decisions (server_id);
CREATE INDEX device_decisions_by_end ON device_decisions (ends);

-- What lists are searched and sorted by; names are in 0010.
CREATE INDEX users_by_email ON users (email_folded);
CREATE INDEX users_by_update ON users (last_updated);

CREATE INDEX groups_by_folded_name ON groups (lower(name));
CREATE INDEX groups_by_update ON groups (last_updated);

CREATE TABLE api_tokens (
    id       TEXT COLLATE "C" PRIMARY KEY,
    hash     BYTEA NOT NULL UNIQUE,
    name     TEXT COLLATE "C" NOT NULL UNIQUE,
    roles    TEXT COLLATE "C" NOT NULL,
    user_id  TEXT COLLATE "C" REFERENCES users (id) ON DELETE CASCADE, -- NULL: nobody's, made on the machine
    created  BIGINT NOT NULL,
    expires  BIGINT
);
CREATE INDEX api_tokens_by_user ON api_tokens (user_id);

CREATE TABLE role_assignments (
    id         TEXT COLLATE "C" PRIMARY KEY,
    role       TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" REFERENCES users (id) ON DELETE CASCADE,
    group_id   TEXT COLLATE "C" REFERENCES groups (id) ON DELETE CASCADE,
    client_id  TEXT COLLATE "C" REFERENCES applications (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    created    BIGINT NOT NULL,
    CHECK ((user_id IS NOT NULL)::INT + (group_id IS NOT NULL)::INT + (client_id IS NOT NULL)::INT = 1)
);
CREATE UNIQUE INDEX role_assignments_by_user ON role_assignments (user_id, role) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX role_assignments_by_group ON role_assignments (group_id, role) WHERE group_id IS NOT NULL;
CREATE UNIQUE INDEX role_assignments_by_client ON role_assignments (client_id, role) WHERE client_id IS NOT NULL;

CREATE TABLE group_rules (
    id              TEXT COLLATE "C" PRIMARY KEY,
    name            TEXT COLLATE "C" NOT NULL UNIQUE,
    status          TEXT COLLATE "C" NOT NULL,
    expression      TEXT COLLATE "C" NOT NULL,
    excluded_users  TEXT COLLATE "C" NOT NULL,
    groups          TEXT COLLATE "C" NOT NULL,
    created         BIGINT NOT NULL,
    last_updated    BIGINT NOT NULL
);

CREATE TABLE rule_members (
    rule_id   TEXT COLLATE "C" NOT NULL REFERENCES group_rules (id) ON DELETE CASCADE,
    user_id   TEXT COLLATE "C" NOT NULL,
    group_id  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (rule_id, user_id, group_id),
    FOREIGN KEY (group_id, user_id) REFERENCES group_members (group_id, user_id) ON DELETE CASCADE
);
CREATE INDEX rule_members_by_membership ON rule_members (group_id, user_id);
CREATE INDEX rule_members_by_user ON rule_members (user_id);

CREATE TABLE one_time_tokens (
    user_id  TEXT COLLATE "C" PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash     BYTEA NOT NULL UNIQUE,
    purpose  TEXT COLLATE "C" NOT NULL,
    ends     BIGINT NOT NULL
);
CREATE INDEX one_time_tokens_by_end ON one_time_tokens (ends);

-- Whoever is not active is one of few. Rows of the same status lie in the order of their ids.
CREATE INDEX users_by_status ON users (lower(status)) WHERE status <> 'ACTIVE';
-- Each new user joins it.
CREATE INDEX groups_built_in ON groups (id) WHERE group_type = 'BUILT_IN';
