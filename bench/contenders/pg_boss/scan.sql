SELECT state, count(*), max(length(data::text)) FROM pgboss.job GROUP BY state
