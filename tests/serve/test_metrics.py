"""What is counted, as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families

from drivetrain.serve.counts import EVENTS, Counts
from drivetrain.serve.metrics import Gauge, ServiceView, render


def samples(page: bytes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *[value for _, value in sorted(sample.labels.items())]): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_counts_come_out_as_prometheus_reads_them() -> None:
    counts = Counts()
    counts.answered("/v1/predict", 200, 0.0004)
    counts.answered("/v1/predict", 200, 0.0005)
    counts.answered("/v1/predict", 400, 99.0)
    counts.predicted("release/loans@1", 5, 2)
    counts.predicted("release/loans@1", 1, 0)
    counts.happened("labels", 3)
    depth = Gauge("drivetrain_depth", "How deep.", 7)
    column = Gauge("drivetrain_psi", "Drift.", 0.5, (("column", 'a "quoted"\nname'),))
    found = samples(render([ServiceView("loans", "release/loans@1", counts, (depth, column)),
                            ServiceView("cards", "", Counts(), (depth,))]))  # fmt: skip
    assert found["drivetrain_requests_total", "/v1/predict", "loans", "200"] == 2
    assert found["drivetrain_requests_total", "/v1/predict", "loans", "400"] == 1
    assert found["drivetrain_request_seconds_bucket", "0.0005", "loans"] == 2
    assert found["drivetrain_request_seconds_bucket", "10.0", "loans"] == 2
    assert found["drivetrain_request_seconds_bucket", "+Inf", "loans"] == 3
    assert found["drivetrain_request_seconds_count", "loans"] == 3
    assert found["drivetrain_request_seconds_sum", "loans"] == 99.0009
    assert found["drivetrain_predictions_total", "false", "release/loans@1", "loans"] == 4
    assert found["drivetrain_predictions_total", "true", "release/loans@1", "loans"] == 2
    assert found["drivetrain_turns_total", "loans"] == 2
    assert found["drivetrain_labels_total", "loans"] == 3
    assert found["drivetrain_labels_total", "cards"] == 0
    assert found["drivetrain_depth", "loans"] == found["drivetrain_depth", "cards"] == 7
    assert found["drivetrain_psi", 'a "quoted"\nname', "loans"] == 0.5
    assert found["drivetrain_release_info", "release/loans@1", "loans"] == 1
    assert {name for name, *_ in found} >= {f"drivetrain_{event}_total" for event in EVENTS}
