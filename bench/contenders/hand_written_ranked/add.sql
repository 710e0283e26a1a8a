INSERT INTO queue (type, payload, priority) VALUES (:type, :payload, :priority);
