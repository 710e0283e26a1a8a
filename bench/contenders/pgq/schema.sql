CREATE EXTENSION pgq;
SELECT pgq.create_queue('bench');
SELECT pgq.set_queue_config('bench', 'ticker_max_lag', '50 milliseconds');
SELECT pgq.set_queue_config('bench', 'ticker_max_count', '500');
SELECT pgq.register_consumer('bench', 'consumer');
