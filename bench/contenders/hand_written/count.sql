SELECT count(*) FROM queue WHERE status = 'new' OR status = 'processing';
