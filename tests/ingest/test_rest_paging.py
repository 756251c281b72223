"""Every way of turning pages, its end, and services that do not turn."""

import pytest
from tests.servers.rest import says, status
from tests.servers.rest_sources import PAGINGS, ids, open_rest, read, rest_source, some_rows

from drivetrain.core.errors import InvalidInput, Refused, Transient
from drivetrain.ingest.reading import Portion


@pytest.mark.parametrize("path", ["page", "offset", "cursor", "token", "link", "next_url"])
@pytest.mark.parametrize("count", [1, 4, 7])
def test_all_pages_are_read_in_order(service, tmp_path, path, count):
    service.rows = some_rows(count)
    assert ids(read(rest_source(service, path), tmp_path)[0]) == list(range(1, count + 1))


def test_a_token_may_travel_in_a_header(service, tmp_path):
    service.rows = some_rows(5)
    paging = {"kind": "token", "header": "x-next", "send_header": "X-Continue"}
    assert len(read(rest_source(service, "token", paging=paging), tmp_path)[0]) == 5


def test_a_page_that_is_shorter_than_asked_for_is_not_the_end(service, tmp_path):
    service.rows = some_rows(5)
    assert len(read(rest_source(service, "offset"), tmp_path)[0]) == 5
    assert service.asked[0][1] == {"offset": "0", "limit": "50"}


@pytest.mark.parametrize(
    ("end", "asked"), [({}, 4), ({"total": "total"}, 3), ({"more": "more"}, 3), ({"end_status": 404}, 4)]
)
def test_the_end_as_the_service_tells_it(service, tmp_path, end, asked):
    service.rows = some_rows(5)
    params = {"strict": "1"} if "end_status" in end else {}
    spec = rest_source(service, "page", paging={"kind": "page", "size": 2, **end}, params=params)
    assert len(read(spec, tmp_path)[0]) == 5
    assert len(service.asked) == asked


def test_fewer_rows_than_the_service_speaks_of_are_an_error(service, tmp_path):
    service.rows, service.extra = some_rows(3), {"total": 9}
    spec = rest_source(service, "page", paging={"kind": "page", "total": "total"})
    with pytest.raises(Transient, match="speaks of 9 rows and gave 3"):
        read(spec, tmp_path)


def test_a_sign_of_the_end_that_is_not_there_is_an_error(service, tmp_path):
    service.rows = some_rows(3)
    with pytest.raises(InvalidInput, match="'has_more'"):
        read(rest_source(service, "page", paging={"kind": "page", "more": "has_more"}), tmp_path)


@pytest.mark.parametrize("key", [(), ("id",)])
@pytest.mark.parametrize("paging", [{"kind": "page", "parameter": "p"}, {"kind": "offset", "parameter": "skip"}])
def test_a_service_that_gives_the_same_page_for_ever_is_refused(service, tmp_path, key, paging):
    service.rows = some_rows(2)
    with pytest.raises(Refused) as caught:
        read(rest_source(service, "page", key=key, paging=paging), tmp_path)
    assert caught.value.code == "page_repeated"
    assert len(service.asked) == 2


@pytest.mark.parametrize("path", ["cursor", "next_url", "link"])
def test_pages_in_a_circle_are_refused(service, tmp_path, path):
    service.rows = some_rows(3)
    body = some_rows(1) if path == "link" else {"items": some_rows(1), "meta": {"next": "at-0"}, "next": "?from=0"}
    circle = says(body, headers={"Link": '<?from=0>; rel="next"'})
    service.faults.extend([circle] * 9)
    with pytest.raises(Refused, match="never end"):
        read(rest_source(service, path, key=["id"]), tmp_path)
    assert len(service.asked) < 4


def test_duplicated_and_reordered_pages_double_nothing_with_a_key(service, tmp_path):
    pages = [some_rows(2, 3), some_rows(2, 1), some_rows(2, 1), some_rows(2, 5)]
    for number, rows in enumerate(pages):
        after = f"at-{number}" if number < 3 else None
        service.faults.append(says({"items": rows, "meta": {"next": after}}))
    assert ids(read(rest_source(service, "cursor", key=["id"]), tmp_path)[0]) == [3, 4, 1, 2, 1, 2, 5, 6]
    service.faults.extend(says({"items": some_rows(2), "meta": {"next": f"at-{number}"}}) for number in range(3))
    with pytest.raises(Refused, match="double rows"):
        read(rest_source(service, "cursor"), tmp_path)


def test_an_empty_page_in_the_middle_is_not_the_end_while_there_is_a_next_one(service, tmp_path):
    service.faults.append(says({"items": [], "meta": {"next": "at-0"}}))
    service.rows = some_rows(3)
    assert len(read(rest_source(service, "cursor"), tmp_path)[0]) == 3


def test_a_next_page_elsewhere_gets_no_credentials(service, tmp_path):
    service.faults.append(says({"items": some_rows(2), "next": "http://localhost:1/rows?secret=1"}))
    with pytest.raises(Refused) as caught:
        read(rest_source(service, "next_url"), tmp_path)
    assert caught.value.code == "next_elsewhere"
    assert "localhost:1" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_next_page_elsewhere_may_be_allowed(service, tmp_path):
    other = f"http://localhost:{service.port}"
    service.faults.append(says({"items": some_rows(2), "next": f"{other}/next_url?from=2"}))
    service.rows = some_rows(3)
    assert len(read(rest_source(service, "next_url", origins=[other], key=["id"]), tmp_path)[0]) == 3


def test_there_is_a_most_of_pages(service, tmp_path):
    service.rows = some_rows(9)
    with pytest.raises(Refused, match="more than 2 pages"):
        read(rest_source(service, "page", max_pages=2), tmp_path)


def test_the_first_page_that_tells_what_there_is_is_not_asked_for_again(service, tmp_path):
    service.rows = some_rows(5)
    reader = open_rest(rest_source(service, "page", paging={"kind": "page", "total": "total"}), tmp_path)
    assert reader.discover() == (Portion("page", 5),)
    batches = [item for item in reader.read("") if hasattr(item, "rows")]
    assert [batch.done for batch in batches] == [5]
    assert len(service.asked) == 3


def test_the_first_page_is_not_taken_for_the_one_beyond_the_last(service, tmp_path):
    service.faults.append(status(404))
    with pytest.raises(Exception, match="404") as caught:
        read(rest_source(service, "page", paging={**PAGINGS["page"], "end_status": 404}), tmp_path)
    assert caught.value.code == "web_unknown"
