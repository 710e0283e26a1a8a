SELECT payload->>'n' FROM goque.tasks WHERE status = 'done';
