SELECT count(*) FROM awa.jobs WHERE state IN ('available', 'scheduled', 'running', 'retryable');
