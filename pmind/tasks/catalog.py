"""Every dataset by name."""

import difflib

from pmind.errors import DataError
from pmind.params import TaskParams
from pmind.tasks.agieval import AGIEVAL, AGIEVAL_CLOZE, AGIEVAL_CLOZE_ZH, AGIEVAL_ZH
from pmind.tasks.boolq import BOOLQ
from pmind.tasks.c3 import C3, C3_DIALOGUE, C3_MIXED
from pmind.tasks.ceval import CEVAL, CEVAL_MEDICAL, CEVAL_ZERO_SHOT
from pmind.tasks.chained import CHAINED, HINTED
from pmind.tasks.cmb import CMB, CMB_CLIN, CMB_EXAM
from pmind.tasks.cmmlu import CMMLU, CMMLU_MEDICAL, CMMLU_ZERO_SHOT
from pmind.tasks.dataset import Dataset, Grouping
from pmind.tasks.dream import DREAM
from pmind.tasks.drop import DROP
from pmind.tasks.gsm8k import GSM8K, GSM8K_ZERO_SHOT
from pmind.tasks.hotpotqa import HOTPOTQA, HOTPOTQA_FULLWIKI
from pmind.tasks.humaneval import HUMANEVAL
from pmind.tasks.mctest import MCTEST
from pmind.tasks.mmlu import MMLU, MMLU_ZERO_SHOT
from pmind.tasks.multirc import MULTIRC
from pmind.tasks.quac import QUAC
from pmind.tasks.quality import QUALITY, QUALITY_HARD
from pmind.tasks.race import RACE
from pmind.tasks.squad import CMRC, DRCD, SQUAD, XQUAD
from pmind.tasks.triviaqa import TRIVIAQA

DATASETS: dict[str, Dataset] = {
    # reading comprehension
    "squad": SQUAD,
    "xquad": XQUAD,
    "cmrc2018": CMRC,
    "drcd": DRCD,
    "race": RACE,
    "multirc": MULTIRC,
    "c3": C3,
    "c3-dialogue": C3_DIALOGUE,
    "c3-mixed": C3_MIXED,
    "dream": DREAM,
    "mctest": MCTEST,
    "boolq": BOOLQ,
    "quac": QUAC,
    "quality": QUALITY,
    "quality-hard": QUALITY_HARD,
    "drop": DROP,
    "hotpotqa": HOTPOTQA,
    "hotpotqa-fullwiki": HOTPOTQA_FULLWIKI,
    "triviaqa": TRIVIAQA,
    # reading comprehension whose questions need each other
    "chained": CHAINED,
    "hinted": HINTED,
    # Chinese medicine
    "cmb": CMB,
    "cmb-exam": CMB_EXAM,
    "cmb-clin": CMB_CLIN,
    # knowledge and reasoning
    "mmlu": MMLU,
    "mmlu-zero-shot": MMLU_ZERO_SHOT,
    "ceval": CEVAL,
    "ceval-zero-shot": CEVAL_ZERO_SHOT,
    "ceval-medical": CEVAL_MEDICAL,
    "cmmlu": CMMLU,
    "cmmlu-zero-shot": CMMLU_ZERO_SHOT,
    "cmmlu-medical": CMMLU_MEDICAL,
    "agieval": AGIEVAL,
    "agieval-zh": AGIEVAL_ZH,
    "agieval-cloze": AGIEVAL_CLOZE,
    "agieval-cloze-zh": AGIEVAL_CLOZE_ZH,
    "gsm8k": GSM8K,
    "gsm8k-zero-shot": GSM8K_ZERO_SHOT,
    "humaneval": HUMANEVAL,
}


def find_dataset(name: str) -> Dataset:
    """The dataset called NAME.

    Raises:
        DataError: there is none.
    """
    if name not in DATASETS:
        close = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"Known: {', '.join(DATASETS)}"
        raise DataError(f"unknown dataset '{name}'; {hint}")
    return DATASETS[name]


def grouping_of(params: TaskParams) -> Grouping:
    """How a dataset's questions come together: what the params say, or the dataset's own way.

    Raises:
        DataError: no such dataset.
    """
    return find_dataset(params.dataset).grouping if params.grouping == "auto" else params.grouping
