-- What lists of users are searched and sorted by, from the text itself: CockroachDB makes no index of an expression over a
-- column that is computed. Databases that were made before have them over that.
DROP INDEX IF EXISTS users_by_first_name;
DROP INDEX IF EXISTS users_by_last_name;
DROP INDEX IF EXISTS users_in_order_of_first_name;
DROP INDEX IF EXISTS users_in_order_of_last_name;

CREATE INDEX users_by_first_name
    ON users (lower((replace(profile, '\u0000', '\ufffd')::JSONB #>> '{firstName}') COLLATE "C"));
CREATE INDEX users_by_last_name
    ON users (lower((replace(profile, '\u0000', '\ufffd')::JSONB #>> '{lastName}') COLLATE "C"));
-- In the order of a list, where who has no name comes first.
CREATE INDEX users_in_order_of_first_name
    ON users (coalesce(lower((replace(profile, '\u0000', '\ufffd')::JSONB #>> '{firstName}') COLLATE "C"), ''));
CREATE INDEX users_in_order_of_last_name
    ON users (coalesce(lower((replace(profile, '\u0000', '\ufffd')::JSONB #>> '{lastName}') COLLATE "C"), ''));
