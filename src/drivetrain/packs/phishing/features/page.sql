-- What the page does. 0, 0.5 and 1: no sign of phishing is 0 in some columns and 1 in others, as in the data.
SELECT
    row_number() OVER (ORDER BY md5(CAST(sites AS VARCHAR))) AS site,
    empty_server_form_handler,
    popup_window,
    request_from_other_domain,
    anchor_from_other_domain
FROM sites
