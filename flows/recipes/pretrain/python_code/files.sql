-- Files of code in tables of your own, in the columns of BigQuery's `github_repos`; the smallest and the largest are left out.
--
-- @param min_bytes INT64 = 1000          smallest file, in bytes
-- @param max_bytes INT64 = 1000000       largest file, in bytes

-- Each file of the folder is a table by its name.
WITH files AS (
  SELECT * FROM shard_00
  UNION ALL SELECT * FROM shard_01
  UNION ALL SELECT * FROM shard_02
  UNION ALL SELECT * FROM shard_03
  UNION ALL SELECT * FROM shard_04
  UNION ALL SELECT * FROM shard_05
  UNION ALL SELECT * FROM shard_06
  UNION ALL SELECT * FROM shard_07
)

SELECT content AS text, repo_name, path, license, copies
FROM files
WHERE size BETWEEN @min_bytes AND @max_bytes

-- Tables have no order of their own; a run that is repeated needs one.
ORDER BY repo_name, path
