SELECT coalesce(sum(ready + scheduled + pending + processing), 0) FROM goque.stats WHERE type LIKE 'bench%';
