CREATE EXTENSION goque;
SELECT goque_configure(NULL, retention => '0');
