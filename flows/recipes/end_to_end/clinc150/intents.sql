-- An assistant's intents: what to say yes to, and what to recognise as somebody else's business.
--
-- CLINC150 has queries of 150 intents in 10 domains (banking, travel, ...), and queries of no intent, marked `oos`
-- (out of scope). This query joins each text to its intent's domain and makes the label from it: an intent outside of
-- the chosen domains is out of scope too. So one file makes many assistants:
--
--   python -m flows.end_to_end                                              all ten domains
--   python -m flows.end_to_end --extract.parameters.domains banking,travel --expected-share 0.84
--                                                                           a bank's travel desk, 30 intents
--
-- What is out of scope is another share of the texts then: without --expected-share thresholds are for the recipe's 18%.
--
-- It is BigQuery's SQL, and runs on the embedded warehouse unchanged. Parameters (@name) are bound, never pasted into
-- the text; the lines below give each one's type and default.
--
-- @param domains ARRAY<STRING> = []          domains to serve: banking, credit_cards, kitchen_and_dining, home,
--                                            auto_and_commute, travel, utility, work, small_talk, meta; empty = all
-- @param sample_percent INT64 = 100          share of the texts to keep, 1 to 100

SELECT
  q.text,

  -- `oos` itself has no domain, so the join leaves it NULL and it stays `oos`.
  IF(ARRAY_LENGTH(@domains) = 0 OR d.domain IN UNNEST(@domains), q.intent, 'oos') AS label,

  -- train, validation or test, as published.
  q.split,

  -- The row's number in the published files, for messages.
  q.id AS row

FROM queries AS q
LEFT JOIN domains AS d ON d.intent = q.intent

-- A hash of the text and not TABLESAMPLE or RAND(): the same sample today, tomorrow and on any warehouse.
WHERE MOD(ABS(FARM_FINGERPRINT(q.text)), 100) < @sample_percent

-- Tables have no order of their own; a run that is repeated needs one.
ORDER BY q.id
