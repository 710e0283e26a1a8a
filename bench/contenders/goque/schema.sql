CREATE EXTENSION goque;
SELECT goque_configure(NULL, backoff => 'static', backoff_base => '100 ms', max_attempts => 100);
