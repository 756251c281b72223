from drivetrain.core.task import METRICS, Task, metric_of


def test_a_task_has_a_first_metric():
    assert [metric_of(None, task) for task in Task] == ["roc_auc", "accuracy", "r2"]
    assert metric_of("mae", Task.NUMBER) == "mae"
    assert set(METRICS) == set(Task)
