CREATE EXTENSION goque;
SELECT goque_configure(NULL, backoff => 'static', backoff_base => '100 ms', retention => '2 min');
