SELECT coalesce(sum(attempts_left), 0) FROM goque.stats;
