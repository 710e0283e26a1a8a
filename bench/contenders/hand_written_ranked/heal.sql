UPDATE queue SET status = 'new', run_at = now() WHERE status = 'processing' AND lease_until < now();
