SELECT status, count(*), max(length(args::text)) FROM procrastinate_jobs GROUP BY status
