SELECT WHERE goque_complete(:id, :token);
