-- They go through the queue, so that each leaves behind what a finished task does.
SELECT set_config('bench.count', :'count', false);
DO $$
DECLARE
	wanted int := current_setting('bench.count');
	n int;
BEGIN
	WHILE wanted > 0 LOOP
		n := least(wanted, 10000);
		PERFORM goque_add_many('bench', array_fill(jsonb_build_object('n', -1, 't', 0, 'x', repeat('0', 60)), ARRAY[n]));
		PERFORM goque_complete_many(array_agg(id), array_agg(token)) FROM goque_fetch('bench', n);
		COMMIT;
		wanted := wanted - n;
	END LOOP;
END $$;
