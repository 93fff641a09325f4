-- The one name by which the certificate of a client is known (RFC 8705 §2.1.2). JSON.
ALTER TABLE applications ADD COLUMN certificate_subject TEXT COLLATE "C";
