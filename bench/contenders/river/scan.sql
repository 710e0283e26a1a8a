SELECT state, count(*), max(length(args::text)) FROM river_job GROUP BY state
