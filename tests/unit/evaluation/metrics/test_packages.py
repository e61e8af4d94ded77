import math
import sys

import pytest

from pmind.errors import DataError
from pmind.evaluation.metrics.packages import load


def test_a_package_that_is_there_is_given():
    assert load("math", "a score") is math


@pytest.mark.parametrize(("module", "package"), [("rouge_score.rouge_scorer", "rouge-score"), ("jieba", "jieba")])
def test_a_missing_one_says_how_to_get_it(monkeypatch, module, package):
    for name in (module, module.partition(".")[0]):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DataError) as error:
        load(module, "ROUGE")
    assert str(error.value).startswith(f"ROUGE needs the package {package} (")
    assert str(error.value).endswith("pip install 'pmind[scores]'")
    assert "\n" not in str(error.value)
