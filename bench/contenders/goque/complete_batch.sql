SELECT goque_complete_many(:ids, :tokens);
