SELECT goque_fail(:id, 'the benchmark says so', :token, retry_in => '100 ms');
