-- What people have allowed applications: scopes that want consent. The scope says of which authorization server.
CREATE TABLE consents (
    id              TEXT COLLATE "C" PRIMARY KEY,
    user_id         TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    application_id  TEXT COLLATE "C" NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    scope_id        TEXT COLLATE "C" NOT NULL REFERENCES scopes (id) ON DELETE CASCADE,
    created         BIGINT NOT NULL,
    UNIQUE (user_id, application_id, scope_id)
);
CREATE INDEX consents_by_application ON consents (application_id);
CREATE INDEX consents_by_scope ON consents (scope_id);
