SELECT status, count(*), max(length(payload)) FROM pgqueuer GROUP BY status
