SELECT status, count(*), max(length(payload::text)) FROM queue GROUP BY status;
