-- Files of code in a table of your own, in the columns of BigQuery's `github_repos`; the smallest and the largest are left out.
--
-- @param min_bytes INT64 = 1000          smallest file, in bytes
-- @param max_bytes INT64 = 1000000       largest file, in bytes

SELECT content AS text, repo_name, path, license, copies
FROM python_code
WHERE size BETWEEN @min_bytes AND @max_bytes

-- Tables have no order of their own; a run that is repeated needs one.
ORDER BY repo_name, path
