-- Python files of public repositories, one row for each content, with the licence of the repository it is taken from.
--
-- It is BigQuery's SQL over `bigquery-public-data.github_repos`, and runs unchanged on the embedded warehouse, whose tables
-- of these names are the Python distributions that are installed here:
--
--   python -m flows.data --config flows/recipes/github_python.yaml                                 one file in ten
--   python -m flows.data --config flows/recipes/github_python.yaml --extract.parameters.sample_percent 100
--
-- Parameters (@name) are bound, never pasted into the text; the lines below give each one's type and default.
--
-- @param licenses ARRAY<STRING> = [mit, apache-2.0, bsd-2-clause, bsd-3-clause, isc, unlicense, cc0-1.0]  those allowed
-- @param sample_percent INT64 = 10       share of the contents to keep, 1 to 100
-- @param min_bytes INT64 = 1000          smallest file, in bytes
-- @param max_bytes INT64 = 1000000       largest file, in bytes

-- The same content lies in many repositories: the first of them by name stands for all.
WITH chosen AS (
  SELECT f.id, f.repo_name, f.path, l.license
  FROM `bigquery-public-data.github_repos.files` AS f
  JOIN `bigquery-public-data.github_repos.licenses` AS l ON l.repo_name = f.repo_name
  WHERE f.path LIKE '%.py'
    AND l.license IN UNNEST(@licenses)
    -- A hash of the content's id and not TABLESAMPLE or RAND(): the same sample today, tomorrow and on any warehouse.
    AND MOD(ABS(FARM_FINGERPRINT(f.id)), 100) < @sample_percent
  QUALIFY ROW_NUMBER() OVER (PARTITION BY f.id ORDER BY f.repo_name, f.path) = 1
)

SELECT c.content AS text, chosen.repo_name, chosen.path, chosen.license, c.copies
FROM chosen
JOIN `bigquery-public-data.github_repos.contents` AS c ON c.id = chosen.id
WHERE NOT c.binary
  AND c.size BETWEEN @min_bytes AND @max_bytes

-- Tables have no order of their own; a run that is repeated needs one.
ORDER BY chosen.repo_name, chosen.path, chosen.id
