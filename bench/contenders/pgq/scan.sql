SELECT ev_type, count(*), max(length(ev_data)) FROM pgq.event_template GROUP BY 1
