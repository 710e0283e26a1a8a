INSERT INTO queue (type, payload, priority) SELECT :type, unnest(:payloads::jsonb[]), :priority::int;
