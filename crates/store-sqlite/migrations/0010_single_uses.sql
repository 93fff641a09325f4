-- Client assertions, DPoP proofs and pushed requests that were used, as hashes, until they are too old to be taken.
CREATE TABLE single_uses (
    hash  BLOB NOT NULL PRIMARY KEY,
    ends  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX single_uses_by_end ON single_uses (ends);
