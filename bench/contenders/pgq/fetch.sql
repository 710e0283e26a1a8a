SELECT 1 AS id, '' AS payload WHERE false;
