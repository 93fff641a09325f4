-- What a directory of 100,000 people is searched and sorted by (docs/performance.md).

-- Whoever is not active is one of few. Rows of the same status lie in the order of their ids.
CREATE INDEX users_by_status ON users (lower(status)) WHERE status <> 'ACTIVE';
-- In the order of a list, where who has no name comes first.
CREATE INDEX users_in_order_of_first_name ON users (coalesce(lower(json_extract(profile, '$."firstName"')), ''));
CREATE INDEX users_in_order_of_last_name ON users (coalesce(lower(json_extract(profile, '$."lastName"')), ''));
-- Each new user joins it.
CREATE INDEX groups_built_in ON groups (id) WHERE group_type = 'BUILT_IN';
