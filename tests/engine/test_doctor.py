from drivetrain.core.settings import Settings
from drivetrain.engine.doctor import examine


def by_name(findings):
    return {finding.what: finding for finding in findings}


def test_empty_folder_has_no_project(tmp_path):
    findings = by_name(examine(tmp_path, Settings()))
    assert findings["python"].state == "ok"
    assert findings["onnxruntime"].state == "ok"
    assert findings["project"].state == "missing"
    assert "drivetrain init" in findings["project"].cure


def test_good_project_names_who_may_sign(project):
    findings = by_name(examine(project.file, project.settings))
    assert findings["may release"].detail == "mia"
    assert findings["may approve"].detail == "alex"


def test_broken_project_is_a_failure(project):
    project.file.write_text("project: [")
    assert by_name(examine(project.file, project.settings))["project"].state == "fail"


def test_missing_library_gives_the_install_line(tmp_path, monkeypatch):
    monkeypatch.setattr("drivetrain.engine.doctor.find_spec", lambda name: None)
    findings = by_name(examine(tmp_path, Settings()))
    assert findings["optuna"].state == "missing"
    assert findings["optuna"].cure == "pip install 'drivetrain[train]'"
    assert findings["duckdb"].state == "fail"
