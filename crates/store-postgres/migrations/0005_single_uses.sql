-- Client assertions, DPoP proofs and pushed requests that were used, as hashes, until they are too old to be taken.
CREATE TABLE single_uses (
    hash  BYTEA PRIMARY KEY,
    ends  BIGINT NOT NULL
);
CREATE INDEX single_uses_by_end ON single_uses (ends);
