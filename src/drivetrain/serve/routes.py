"""Every path of a server: those of each service, the short ones of the first, and what belongs to the server itself."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version

from prometheus_client import CONTENT_TYPE_LATEST

from drivetrain.access.scopes import Scope
from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.connect.http.settings import ConnectionLimits
from drivetrain.core.errors import NotFound
from drivetrain.serve.answers import json
from drivetrain.serve.arrow_stream import ARROW, ArrowStream
from drivetrain.serve.beside import Beside
from drivetrain.serve.binary_tensors import BINARY, EXTENSION
from drivetrain.serve.chat import Chat
from drivetrain.serve.counts import Counts
from drivetrain.serve.dashboard import OF_ONE, dashboard_routes
from drivetrain.serve.desk import Desk
from drivetrain.serve.docs import HEADERS, docs_page
from drivetrain.serve.door import JSON_TYPE, Endpoint, Route
from drivetrain.serve.entities import OF_ONE as OF_ENTITY
from drivetrain.serve.entities import PAGE_OF_ONE, entity_routes
from drivetrain.serve.feedback import Feedback, Forget
from drivetrain.serve.health import LIVE_PATHS, READY_PATHS, Deployed, HealthPage
from drivetrain.serve.inference import Inference, metadata
from drivetrain.serve.labels import Labels
from drivetrain.serve.line_stream import NDJSON, LineStream
from drivetrain.serve.openapi import openapi
from drivetrain.serve.papers import endpoints
from drivetrain.serve.predict import Predict
from drivetrain.serve.protocol import Ready, ServerMetadata
from drivetrain.serve.purchases import ForgetCustomer, Shelf, TellPurchases
from drivetrain.serve.recommend import Recommend
from drivetrain.serve.review_queue import ONE as OF_CASE
from drivetrain.serve.review_queue import queue_routes, waiting_of
from drivetrain.serve.search import Search
from drivetrain.serve.service import Service
from drivetrain.serve.widget import Widget

_ANY = JSON_TYPE
_OF_ONE = (OF_ONE, OF_CASE, OF_ENTITY, PAGE_OF_ONE)


class Routes:
    """The routes by path. A model's path may also name the version of the release that answers.

    ``most`` is how many bytes a message may have of an Arrow stream, which has no limit itself.
    """

    def __init__(
        self,
        services: Sequence[Service],
        counts: Counts,
        metrics: Callable[[], bytes],
        url: str,
        most: int = ConnectionLimits.max_body_bytes,
    ) -> None:
        self.exact: dict[str, Route] = {}
        self._services = {service.name: service for service in services}
        for number, service in enumerate(services):
            for prefix in (f"/services/{service.name}", "")[: 1 if number else 2]:
                documents = _Documents(service, prefix, url + prefix, self._scope)
                self.exact.update({prefix + path: route for path, route in _of_service(service, documents, most)})
            self.exact.update(_of_model(service))
        callers = services[0].callers
        self.exact["/v2"] = Route("/v2", "GET", {_ANY: _Server()}, counts, callers.only("predict"))
        self.exact["/metrics"] = Route("/metrics", "GET", {_ANY: _Metrics(metrics)}, counts, callers.only("metrics"))
        live, ready = HealthPage(services, asks_ready=False), HealthPage(services, asks_ready=True)
        for paths, page in ((LIVE_PATHS, live), (READY_PATHS, ready)):
            self.exact.update({path: Route(path, "GET", {_ANY: page}, counts) for path in paths})

    def find(self, path: str) -> Route:
        """The route of a path. Raises NotFound."""
        found = self.exact.get(path) or self._of_version(path) or self._of_name(path)
        if found is None:
            near = difflib.get_close_matches(path[:80], self.exact, n=1)
            hint = f"did you mean {near[0]}?" if near else "GET /docs lists what there is"
            raise NotFound("path_unknown", "there is nothing at this path", where=path[:80], hint=hint)
        return found

    def _scope(self, path: str) -> Scope | None:
        """What a key must be good for at a path; None: none is asked for."""
        entry = self.find(path).entry
        return entry.scope if entry else None

    def _of_name(self, path: str) -> Route | None:
        """The name of a series or of an entity, or the id of a case, is the rest of its path."""
        begins = (before + found for before, found, _ in map(path.partition, _OF_ONE) if found)
        return next((self.exact[path] for path in begins if path in self.exact), None)

    def _of_version(self, path: str) -> Route | None:
        """``/v2/models/NAME/versions/VERSION/...`` leads where the path without the version does, if that answers."""
        parts = path.split("/")
        if len(parts) not in (6, 7) or parts[:3] != ["", "v2", "models"] or parts[4] != "versions":
            return None
        service = self._services.get(parts[3])
        if service is None or service.lineup is None:
            return None
        if service.lineup.champion.contender.release.ref.version != parts[5]:
            return None
        return self.exact.get("/".join([*parts[:4], *parts[6:]]))


def _of_service(service: Service, documents: _Documents, most: int) -> Iterator[tuple[str, Route]]:
    """The paths of a service, and what a key must be good for at each; a few lead nowhere without their section."""
    counts, only, full, crowd = service.counts, service.callers.only, service.is_full, service.crowd
    predict: Mapping[str, Endpoint] = {
        JSON_TYPE: Predict(service), NDJSON: LineStream(service), ARROW: ArrowStream(service, most),
    }  # fmt: skip
    streams, beside = frozenset({NDJSON, ARROW}), Beside(service.settings.max_waiting_requests)
    desk, shelf = Desk(service, beside), Shelf(service, beside)
    yield from (
        (route.name, route)
        for route in (
            Route("/v1/predict", "POST", predict, counts, only("predict"), streams, full, crowd),
            Route("/v1/labels", "POST", {JSON_TYPE: Labels(service)}, counts, only("labels")),
            Route("/v1/recommend", "POST", {JSON_TYPE: Recommend(service, shelf, beside)}, counts, only("recommend")),
            Route("/v1/purchases", "POST", {JSON_TYPE: TellPurchases(shelf)}, counts, only("purchases")),
            Route("/v1/purchases/forget", "POST", {JSON_TYPE: ForgetCustomer(shelf)}, counts, only("purchases")),
            Route("/v1/search", "POST", {JSON_TYPE: Search(service, beside)}, counts, only("search")),
            Route("/v1/chat", "POST", {JSON_TYPE: Chat(desk)}, counts, only("chat"), full=full, crowd=crowd),
            Route("/v1/chat/forget", "POST", {JSON_TYPE: Forget(desk)}, counts, only("chat")),
            Route("/v1/feedback", "POST", {JSON_TYPE: Feedback(desk)}, counts, only("chat")),
            Route("/v1/documents", "POST", endpoints(service), counts, only("documents"), full=full),
            Route("/v1/deployment", "GET", {_ANY: Deployed(service)}, counts, only("metrics")),
            Route("/widget.js", "GET", {_ANY: Widget(service)}, counts),
            Route("/openapi.json", "GET", {_ANY: documents.openapi}, counts),
            Route("/docs", "GET", {_ANY: documents.page}, counts),
        )
    )
    yield from queue_routes(service)
    yield from dashboard_routes(service)
    yield from entity_routes(service)


def _of_model(service: Service) -> Iterator[tuple[str, Route]]:
    counts, predict = service.counts, service.callers.only("predict")
    model = f"/v2/models/{service.name}"
    described = Route("/v2/models", "GET", {_ANY: _Metadata(service)}, counts, predict)
    ready = Route("/v2/models/ready", "GET", {_ANY: _Ready(service)}, counts)
    inference: Mapping[str, Endpoint] = dict.fromkeys((JSON_TYPE, BINARY), Inference(service))
    infer = Route("/v2/models/infer", "POST", inference, counts, predict, full=service.is_full, crowd=service.crowd)
    yield from ((model, described), (f"{model}/ready", ready), (f"{model}/infer", infer))


class _Server:
    def __call__(self, exchange: Exchange) -> None:
        exchange.answer(json(ServerMetadata("drivetrain", version("drivetrain"), [EXTENSION])))


class _Metrics:
    def __init__(self, text: Callable[[], bytes]) -> None:
        self._text = text

    def __call__(self, exchange: Exchange) -> None:
        exchange.answer(Answer(200, (("content-type", CONTENT_TYPE_LATEST),), self._text()))


class _Metadata:
    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, exchange: Exchange) -> None:
        champion = self._service.standing().champion.contender
        exchange.answer(json(metadata(self._service.name, champion)))


class _Ready:
    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, exchange: Exchange) -> None:
        ready = self._service.lineup is not None
        answer = json(Ready(self._service.name, ready=ready))
        exchange.answer(answer if ready else answer._replace(status=503))


class _Documents:
    """The OpenAPI document and the page made from it, written anew when another release answers."""

    def __init__(self, service: Service, prefix: str, url: str, scope: Callable[[str], Scope | None]) -> None:
        self._service = service
        self._prefix = prefix
        self._url = url
        self._scope = scope
        self._release = ""
        self._document = b""
        self._html = b""

    def openapi(self, exchange: Exchange) -> None:
        """The document."""
        self._write()
        exchange.answer(Answer(200, (("content-type", "application/json"),), self._document))

    def page(self, exchange: Exchange) -> None:
        """The page."""
        self._write()
        exchange.answer(Answer(200, HEADERS, self._html))

    def _write(self) -> None:
        champion = self._service.standing().champion.contender
        if self._release != champion.name:
            settings = self._service.settings
            self._document = openapi(
                settings, self._prefix, champion, self._scope,
                has_queue=waiting_of(settings, champion.release) is not None,
            )  # fmt: skip
            self._html = docs_page(self._service.name, champion, self._document, self._url)
            self._release = champion.name
