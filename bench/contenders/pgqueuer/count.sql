SELECT count(*) FROM pgqueuer;
