-- What a refresh must remember of the request: resources, single claims, acr. JSON; null: nothing.
ALTER TABLE refresh_families ADD COLUMN other TEXT COLLATE "C" NOT NULL DEFAULT 'null';
