-- Of two replicas that make a key of an algorithm at once, one loses. A server may sign by several algorithms.
DROP INDEX one_signing_key;
DROP INDEX one_published_key;
CREATE UNIQUE INDEX one_signing_key ON signing_keys (server_id, algorithm) WHERE state = 'SIGNING';
CREATE UNIQUE INDEX one_published_key ON signing_keys (server_id, algorithm) WHERE state = 'PUBLISHED';
