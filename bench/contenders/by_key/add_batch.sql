INSERT INTO queue (payload) SELECT unnest(:payloads::jsonb[]);
