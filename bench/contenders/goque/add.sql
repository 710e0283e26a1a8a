SELECT goque_add(:type, :payload, priority => :priority);
