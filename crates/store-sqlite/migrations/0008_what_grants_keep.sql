-- What a refresh must remember of the request: resources, single claims, acr. JSON; null: nothing.
ALTER TABLE refresh_families ADD COLUMN other TEXT NOT NULL DEFAULT 'null';
