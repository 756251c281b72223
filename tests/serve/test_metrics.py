"""What a server counts, as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families

from drivetrain.serve.metrics import Metrics


def test_counts_come_out_as_prometheus_reads_them() -> None:
    metrics = Metrics({"service": "loans", "release": "release/loans@1"})
    metrics.answered("/v1/predict", 200, 0.0004)
    metrics.answered("/v1/predict", 200, 0.0005)
    metrics.answered("/v1/predict", 400, 99.0)
    metrics.predicted(5, 2)
    metrics.predicted(1, 0)
    metrics.labels += 3
    metrics.gauge("drivetrain_depth", "How deep.", lambda: 7)
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }
    assert samples["drivetrain_requests_total", "/v1/predict", "200"] == 2
    assert samples["drivetrain_requests_total", "/v1/predict", "400"] == 1
    assert samples["drivetrain_request_seconds_bucket", "0.0005"] == 2
    assert samples["drivetrain_request_seconds_bucket", "10.0"] == 2
    assert samples["drivetrain_request_seconds_bucket", "+Inf"] == 3
    assert samples["drivetrain_request_seconds_count",] == 3
    assert samples["drivetrain_request_seconds_sum",] == 99.0009
    assert samples["drivetrain_predictions_total", "false"] == 4
    assert samples["drivetrain_predictions_total", "true"] == 2
    assert samples["drivetrain_turns_total",] == 2
    assert samples["drivetrain_labels_total",] == 3
    assert samples["drivetrain_depth",] == 7
    assert samples["drivetrain_release_info", "loans", "release/loans@1"] == 1
