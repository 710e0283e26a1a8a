SELECT status, count(*), max(length(payload::text)) FROM goque.tasks GROUP BY status;
