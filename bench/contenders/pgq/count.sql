-- what no tick has handed out yet, and what the consumer has still to read
SELECT pending_events FROM pgq.get_consumer_info('bench', 'consumer');
