SELECT count(*) FROM queue;
