-- Refresh tokens of public clients may be bound to a key (RFC 9449 §5).
ALTER TABLE refresh_families ADD COLUMN dpop_jkt TEXT;
-- Which clients took part in a session.
CREATE INDEX refresh_families_by_session ON refresh_families (session_id);
