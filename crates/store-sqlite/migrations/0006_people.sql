-- Where somebody signed in from, for that person to recognise the session by, and how sure the sign-in was.
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;
ALTER TABLE sessions ADD COLUMN acr TEXT NOT NULL DEFAULT 'urn:okta:loa:1fa:any';

-- The passwords that somebody had before, as hashes, so that none of the last few is taken again.
CREATE TABLE password_history (
    id        INTEGER PRIMARY KEY,
    user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash      TEXT NOT NULL,
    replaced  INTEGER NOT NULL
) STRICT;
CREATE INDEX password_history_by_user ON password_history (user_id, replaced);
