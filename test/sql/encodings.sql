-- F53: databases in other encodings than UTF-8.
--
-- Names and errors are counted in bytes and cut between characters, whatever the
-- encoding of the database. Only truth values are printed: the client's encoding
-- could not show the rest.
SELECT current_database() AS home \gset

-- ---- LATIN1 ----
CREATE DATABASE regress_goque_latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_goque_latin1
CREATE EXTENSION goque;
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all
SET client_encoding = SQL_ASCII;
SELECT getdatabaseencoding();
-- a character, as the server stores it
SELECT convert_from('\xe4', 'LATIN1') AS ch, octet_length('\xe4'::bytea) AS bytes \gset
SELECT octet_length(:'ch') = :bytes AS one, octet_length(repeat(:'ch', 128 / :bytes)) AS longest;
SELECT goque_add(repeat(:'ch', 128 / :bytes), to_jsonb(repeat(:'ch', 300)), external_id => repeat(:'ch', 1024 / :bytes)) > 0 AS added;
SELECT type = repeat(:'ch', 128 / :bytes) AS type, payload = to_jsonb(repeat(:'ch', 300)) AS payload, external_id = repeat(:'ch', 1024 / :bytes) AS external_id
FROM goque_fetch(repeat(:'ch', 128 / :bytes), worker => repeat(:'ch', 128 / :bytes));
-- one byte more: refused, and shown in whole characters
SELECT pg_temp.refused(format('SELECT goque_add(%L)', repeat(:'ch', 128 / :bytes) || 'xx')) ~ ('^22023: .*\nDETAIL: "' || CASE WHEN 128 / :bytes > 98 THEN repeat(:'ch', 100) || '\.\.\.' ELSE repeat(:'ch', 128 / :bytes) || 'xx' END || '" has') AS told;
SELECT pg_temp.refused(format('SELECT goque_add(%L)', repeat(:'ch', 200))) ~ ('DETAIL: "(' || :'ch' || '){100}\.\.\." has') AS cut;
-- an error is cut between characters
SELECT goque_fail(id, 'a' || repeat(:'ch', 5000), retry_in => '0') FROM goque.tasks;
SELECT error = 'a' || repeat(:'ch', 4095 / :bytes) AS whole, worker = repeat(:'ch', 128 / :bytes) AS worker, errors ~ (:'ch' || '\)$') AS errors FROM goque.tasks;
SELECT goque_add('encodings', external_id => E'\'";\n' || :'ch') > 0 AS added;
SELECT pg_temp.refused(format('SELECT goque_add(''encodings'', external_id => %L)', E'\'";\n' || :'ch')) ~ ('^23505: .*\nDETAIL: .*\\n' || :'ch' || '"') AS told;
SELECT count(*) FROM goque.stats WHERE type IN ('encodings', repeat(:'ch', 128 / :bytes));
\c :home
DROP DATABASE regress_goque_latin1;

-- ---- EUC_JP ----
CREATE DATABASE regress_goque_euc_jp TEMPLATE template0 ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_goque_euc_jp
CREATE EXTENSION goque;
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all
SET client_encoding = SQL_ASCII;
SELECT getdatabaseencoding();
-- a character, as the server stores it
SELECT convert_from('\xa4a2', 'EUC_JP') AS ch, octet_length('\xa4a2'::bytea) AS bytes \gset
SELECT octet_length(:'ch') = :bytes AS one, octet_length(repeat(:'ch', 128 / :bytes)) AS longest;
SELECT goque_add(repeat(:'ch', 128 / :bytes), to_jsonb(repeat(:'ch', 300)), external_id => repeat(:'ch', 1024 / :bytes)) > 0 AS added;
SELECT type = repeat(:'ch', 128 / :bytes) AS type, payload = to_jsonb(repeat(:'ch', 300)) AS payload, external_id = repeat(:'ch', 1024 / :bytes) AS external_id
FROM goque_fetch(repeat(:'ch', 128 / :bytes), worker => repeat(:'ch', 128 / :bytes));
-- one byte more: refused, and shown in whole characters
SELECT pg_temp.refused(format('SELECT goque_add(%L)', repeat(:'ch', 128 / :bytes) || 'xx')) ~ ('^22023: .*\nDETAIL: "' || CASE WHEN 128 / :bytes > 98 THEN repeat(:'ch', 100) || '\.\.\.' ELSE repeat(:'ch', 128 / :bytes) || 'xx' END || '" has') AS told;
SELECT pg_temp.refused(format('SELECT goque_add(%L)', repeat(:'ch', 200))) ~ ('DETAIL: "(' || :'ch' || '){100}\.\.\." has') AS cut;
-- an error is cut between characters
SELECT goque_fail(id, 'a' || repeat(:'ch', 5000), retry_in => '0') FROM goque.tasks;
SELECT error = 'a' || repeat(:'ch', 4095 / :bytes) AS whole, worker = repeat(:'ch', 128 / :bytes) AS worker, errors ~ (:'ch' || '\)$') AS errors FROM goque.tasks;
SELECT goque_add('encodings', external_id => E'\'";\n' || :'ch') > 0 AS added;
SELECT pg_temp.refused(format('SELECT goque_add(''encodings'', external_id => %L)', E'\'";\n' || :'ch')) ~ ('^23505: .*\nDETAIL: .*\\n' || :'ch' || '"') AS told;
SELECT count(*) FROM goque.stats WHERE type IN ('encodings', repeat(:'ch', 128 / :bytes));
\c :home
DROP DATABASE regress_goque_euc_jp;

-- ---- SQL_ASCII ----
CREATE DATABASE regress_goque_sql_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_goque_sql_ascii
CREATE EXTENSION goque;
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set helpers :inputdir '/sql/include/helpers.sql'
\i :helpers
\set ECHO all
SET client_encoding = SQL_ASCII;
SELECT getdatabaseencoding();
-- a character, as the server stores it
SELECT convert_from('\xe4', 'SQL_ASCII') AS ch, octet_length('\xe4'::bytea) AS bytes \gset
SELECT octet_length(:'ch') = :bytes AS one, octet_length(repeat(:'ch', 128 / :bytes)) AS longest;
SELECT goque_add(repeat(:'ch', 128 / :bytes), to_jsonb(repeat(:'ch', 300)), external_id => repeat(:'ch', 1024 / :bytes)) > 0 AS added;
SELECT type = repeat(:'ch', 128 / :bytes) AS type, payload = to_jsonb(repeat(:'ch', 300)) AS payload, external_id = repeat(:'ch', 1024 / :bytes) AS external_id
FROM goque_fetch(repeat(:'ch', 128 / :bytes), worker => repeat(:'ch', 128 / :bytes));
-- one byte more: refused, and shown in whole characters
SELECT pg_temp.refused(format('SELECT goque_add(%L)', repeat(:'ch', 128 / :bytes) || 'xx')) ~ ('^22023: .*\nDETAIL: "' || CASE WHEN 128 / :bytes > 98 THEN repeat(:'ch', 100) || '\.\.\.' ELSE repeat(:'ch', 128 / :bytes) || 'xx' END || '" has') AS told;
SELECT pg_temp.refused(format('SELECT goque_add(%L)', repeat(:'ch', 200))) ~ ('DETAIL: "(' || :'ch' || '){100}\.\.\." has') AS cut;
-- an error is cut between characters
SELECT goque_fail(id, 'a' || repeat(:'ch', 5000), retry_in => '0') FROM goque.tasks;
SELECT error = 'a' || repeat(:'ch', 4095 / :bytes) AS whole, worker = repeat(:'ch', 128 / :bytes) AS worker, errors ~ (:'ch' || '\)$') AS errors FROM goque.tasks;
SELECT goque_add('encodings', external_id => E'\'";\n' || :'ch') > 0 AS added;
SELECT pg_temp.refused(format('SELECT goque_add(''encodings'', external_id => %L)', E'\'";\n' || :'ch')) ~ ('^23505: .*\nDETAIL: .*\\n' || :'ch' || '"') AS told;
SELECT count(*) FROM goque.stats WHERE type IN ('encodings', repeat(:'ch', 128 / :bytes));
\c :home
DROP DATABASE regress_goque_sql_ascii;
