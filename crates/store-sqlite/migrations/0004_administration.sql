-- What the management API keeps and looks for.
ALTER TABLE users ADD COLUMN email_folded TEXT NOT NULL DEFAULT '';
UPDATE users SET email_folded = lower(json_extract(profile, '$.email'));
CREATE INDEX users_by_email ON users (email_folded);
CREATE INDEX users_by_update ON users (last_updated);
CREATE INDEX users_by_first_name ON users (lower(json_extract(profile, '$."firstName"')));
CREATE INDEX users_by_last_name ON users (lower(json_extract(profile, '$."lastName"')));

ALTER TABLE groups ADD COLUMN other TEXT NOT NULL DEFAULT '{}';
CREATE INDEX groups_by_folded_name ON groups (lower(name));
CREATE INDEX groups_by_update ON groups (last_updated);

ALTER TABLE applications ADD COLUMN api_scopes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE application_groups ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
ALTER TABLE application_users ADD COLUMN user_name TEXT;
ALTER TABLE application_users ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
ALTER TABLE authorization_servers ADD COLUMN issuer_mode TEXT NOT NULL DEFAULT 'ORG_URL';

CREATE TABLE api_tokens (
    id       TEXT PRIMARY KEY,
    hash     BLOB NOT NULL UNIQUE,
    name     TEXT NOT NULL UNIQUE,
    roles    TEXT NOT NULL,
    user_id  TEXT REFERENCES users (id) ON DELETE CASCADE, -- NULL: nobody's, made on the machine
    created  INTEGER NOT NULL,
    expires  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_tokens_by_user ON api_tokens (user_id);

CREATE TABLE role_assignments (
    id         TEXT PRIMARY KEY,
    role       TEXT NOT NULL,
    user_id    TEXT REFERENCES users (id) ON DELETE CASCADE,
    group_id   TEXT REFERENCES groups (id) ON DELETE CASCADE,
    client_id  TEXT REFERENCES applications (client_id) ON UPDATE CASCADE ON DELETE CASCADE,
    created    INTEGER NOT NULL,
    CHECK ((user_id IS NOT NULL) + (group_id IS NOT NULL) + (client_id IS NOT NULL) = 1)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX role_assignments_by_user ON role_assignments (user_id, role) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX role_assignments_by_group ON role_assignments (group_id, role) WHERE group_id IS NOT NULL;
CREATE UNIQUE INDEX role_assignments_by_client ON role_assignments (client_id, role) WHERE client_id IS NOT NULL;

CREATE TABLE group_rules (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    status          TEXT NOT NULL,
    expression      TEXT NOT NULL,
    excluded_users  TEXT NOT NULL,
    groups          TEXT NOT NULL,
    created         INTEGER NOT NULL,
    last_updated    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A membership that rules made goes with the last rule that made it; one that an administrator made stays.
ALTER TABLE group_members ADD COLUMN by_rule INTEGER NOT NULL DEFAULT 0;
CREATE TABLE rule_members (
    rule_id   TEXT NOT NULL REFERENCES group_rules (id) ON DELETE CASCADE,
    user_id   TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    PRIMARY KEY (rule_id, user_id, group_id),
    FOREIGN KEY (group_id, user_id) REFERENCES group_members (group_id, user_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX rule_members_by_membership ON rule_members (group_id, user_id);
CREATE INDEX rule_members_by_user ON rule_members (user_id);

CREATE TABLE one_time_tokens (
    user_id  TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash     BLOB NOT NULL UNIQUE,
    purpose  TEXT NOT NULL,
    ends     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX one_time_tokens_by_end ON one_time_tokens (ends);
