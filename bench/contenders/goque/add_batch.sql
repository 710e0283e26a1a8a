SELECT count(*) FROM goque_add_many(:type, :payloads, priority => :priority);
