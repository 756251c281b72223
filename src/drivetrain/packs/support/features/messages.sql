-- What people write. The data has one wording of each question, a whole sentence. Not everybody writes whole sentences,
-- so there is a hasty one of each: small letters, no signs, and the longest word lacks a letter.
WITH plain AS (
    SELECT id, trim(regexp_replace(lower(q), '[^\pL\pN]+', ' ', 'g')) AS text FROM faq
),
longest AS (
    SELECT id, text, word
    FROM plain, unnest(string_split(text, ' ')) AS found (word)
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY length(word) DESC, word) = 1
)
SELECT id || ' sentence' AS message_id, q AS message FROM faq
UNION ALL
SELECT id || ' hasty', replace(text, word, word[:3] || word[5:]) FROM longest
UNION ALL
SELECT id || ' answer', a FROM faq
