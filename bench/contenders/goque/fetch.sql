SELECT id, token, payload FROM goque_fetch(:type, :n, lease => :lease, wait => '250 ms');
