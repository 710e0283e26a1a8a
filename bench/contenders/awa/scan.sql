SELECT state, count(*), max(length(args::text)) FROM awa.jobs GROUP BY state
