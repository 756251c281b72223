-- What the service knows: one passage for each question of the FAQ. The source names the law that an answer rests on.
SELECT
    id,
    q AS question,
    a AS answer,
    sources AS title,
    'https://zaragoza.example/faq#' || id AS url,
    'en' AS language
FROM faq
