SELECT count(pgq.insert_event('bench', 'task', p)) FROM unnest(:payloads::text[]) AS p;
