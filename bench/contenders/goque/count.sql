SELECT count(*) FROM goque.tasks WHERE status <> 'done';
