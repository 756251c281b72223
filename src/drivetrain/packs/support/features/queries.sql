-- What people ask in other words: the questions of the FAQ, reworded, so that none is asked as it is indexed.
-- Nobody asked these; the data has one wording of each question. They are made by rule and by hash, always the same:
-- 1. words that frame a question go (what, is, how, do I ...);
-- 2. words are replaced by what people say instead (`said`: 59 pairs, written without looking at what is found);
-- 3. of the rest every fourth goes, as long as two stay;
-- 4. in every third query a letter of the longest word is missing;
-- 5. the words stand in another order.
WITH said (word, instead) AS (
    VALUES ('cost', 'price'), ('costs', 'price'), ('expensive', 'pricey'), ('cheaper', 'less'), ('permit', 'permission'),
    ('required', 'needed'), ('require', 'need'), ('requires', 'needs'), ('requirements', 'rules'), ('apply', 'use'),
    ('applies', 'counts'), ('company', 'firm'), ('companies', 'firms'), ('contractor', 'builder'),
    ('contractors', 'builders'), ('house', 'home'), ('houses', 'homes'), ('dwelling', 'home'), ('dwellings', 'homes'),
    ('difference', 'versus'), ('between', 'against'), ('choose', 'pick'), ('select', 'pick'), ('verify', 'check'),
    ('inspect', 'check'), ('inspection', 'checkup'), ('repair', 'fix'), ('repaired', 'fixed'), ('replace', 'swap'),
    ('replaced', 'swapped'), ('renovate', 'redo'), ('renovation', 'refurbishment'), ('install', 'put'),
    ('installed', 'put'), ('installation', 'fitting'), ('deduction', 'relief'), ('tax', 'taxes'), ('buyer', 'purchaser'),
    ('seller', 'vendor'), ('neighbour', 'neighbor'), ('liability', 'responsibility'), ('liable', 'responsible'),
    ('responsible', 'liable'), ('defect', 'fault'), ('defects', 'faults'), ('moisture', 'damp'), ('damage', 'harm'),
    ('contract', 'agreement'), ('contracts', 'agreements'), ('warranty', 'guarantee'), ('guarantees', 'warranties'),
    ('complaint', 'claim'), ('complain', 'claim'), ('works', 'jobs'), ('work', 'job'), ('duration', 'time'),
    ('maximum', 'most'), ('minimum', 'least'), ('necessary', 'needed')
),
asked AS (
    SELECT id, regexp_split_to_array(trim(regexp_replace(lower(q), '[^\pL\pN]+', ' ', 'g')), ' ') AS words
    FROM faq
),
worded AS (
    SELECT asked.id, place, coalesce(said.instead, found.word) AS word,
        md5(asked.id || ' ' || place || ' ' || found.word) AS chance
    FROM asked, unnest(words) WITH ORDINALITY AS found (word, place)
    LEFT JOIN said ON said.word = found.word
    WHERE NOT list_contains([
        'a', 'an', 'and', 'any', 'are', 'as', 'at', 'be', 'by', 'can', 'could', 'do', 'does', 'for', 'from', 'have', 'has',
        'how', 'i', 'if', 'in', 'is', 'it', 'its', 'long', 'many', 'may', 'much', 'must', 'my', 'need', 'of', 'on', 'or',
        'out', 'should', 'so', 'that', 'the', 'there', 'they', 'this', 'to', 'was', 'what', 'when', 'where', 'which',
        'who', 'why', 'will', 'with', 'you', 'your'
    ], found.word)
),
kept AS (
    SELECT id, word, chance,
        row_number() OVER (PARTITION BY id ORDER BY length(word) DESC, chance) = 1 AND length(word) > 5
            AND ord(md5('letter ' || id)) % 3 = 0 AS is_mistyped
    FROM worded
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY chance) <= greatest(2, ceil(0.75 * count(*) OVER (PARTITION BY id)))
)
SELECT
    id,
    string_agg(CASE WHEN is_mistyped THEN word[:4] || word[6:] ELSE word END, ' ' ORDER BY md5(chance)) AS query
FROM kept
GROUP BY id
