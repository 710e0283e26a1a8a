INSERT INTO queue (payload) VALUES (:payload);
