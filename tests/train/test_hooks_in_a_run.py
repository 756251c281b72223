import pytest

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.project import ModelSpec
from drivetrain.store.models import read_model
from drivetrain.train.train import train

OWN = """
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


def linear(strength=1.0):
    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=strength, max_iter=500))


def custom():
    return make_pipeline(SimpleImputer(), FunctionTransformer(np.tanh), LogisticRegression())


size = 3
"""


def spec(*candidates, **changes):
    told = {"candidates": candidates, "budget": {"trials": 3}, "tracking": "off"}
    return ModelSpec.model_validate(told | changes)


def own(tmp_path, name: str) -> str:
    file = f"{tmp_path.name.replace('-', '_')}.py"  # Python keeps modules by name: one name a test
    (tmp_path / file).write_text(OWN)
    return f"{file}:{name}"


def test_a_hook_races_with_the_built_in_learners(loans, catalog, tmp_path):
    path = own(tmp_path, "linear")
    hook = {"learner": path, "params": {"strength": 0.5}}
    content = read_model(catalog.folder(train(spec(hook, {"learner": "logistic"}), "risk", loans, catalog).ref))
    scores = {candidate.name: candidate for candidate in content.training.candidates}
    assert scores[path].trials == 1
    assert scores[path].params == '{"strength":0.5}'
    assert scores["logistic"].trials == 2


def test_a_hook_alone_makes_a_model(loans, catalog, tmp_path):
    path = own(tmp_path, "linear")
    model = train(spec({"learner": path}), "risk", loans, catalog)
    assert model.learner == path


def test_what_cannot_be_exported_is_refused_before_the_search(loans, catalog, tmp_path):
    heard = []
    with pytest.raises(Refused, match=r"step 'functiontransformer' \(FunctionTransformer\) has no exact ONNX"):
        train(
            spec({"learner": own(tmp_path, "custom")}), "risk", loans, catalog, lambda *told, **more: heard.append(told)
        )
    assert heard == []


@pytest.mark.parametrize(("name", "words"), [("size", "is not a function"), ("nothing", "cannot load")])
def test_hooks_that_are_no_functions_are_named(loans, catalog, tmp_path, name, words):
    with pytest.raises(InvalidInput, match=words):
        train(spec({"learner": own(tmp_path, name)}), "risk", loans, catalog)
