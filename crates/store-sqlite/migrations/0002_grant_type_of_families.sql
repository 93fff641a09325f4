-- Refreshing is judged by the grant that began it. Until now there was one.
ALTER TABLE refresh_families ADD COLUMN grant_type TEXT NOT NULL DEFAULT 'authorization_code';
