"""How option letters, lists of them and the words around them are written, as regular expressions.

Built from small to large: a letter, an item ("option (C)"), a list ("A, B and C"), and the phrases
that make a list a choice. Letters are told apart by case, words are not.
"""

import re

from pmind.evaluation.text_match import IDEOGRAPHS

# A letter. Chinese needs no blank around it, so "B超" and "维生素C" are told from "选B项" by their neighbours.
_AFTER_WORDS = r"(?:and|or|is|are|was|as|because|since|but|for|with|would|which|if|due|given|so|nor|not|seems|looks)\b"
_CAPITAL = rf"(?:[B-HJ-Z]|[AI](?![ \t]+(?!(?i:{_AFTER_WORDS})|[A-Z](?![A-Za-z]))[A-Za-z]))"
_SMALL = r"(?:[b-hj-z]|[ai](?![ \t]+(?!(?:and|or|because|since)\b)[A-Za-z]))(?!\()"
_AFTER_HAN = "选项|项(?!目)|[是为和与及或对错不可因由而吧呢的了都均也]|以及|正确|有误|符合"
_BEFORE = r"(?<![A-Za-z0-9°])(?<![A-Za-z]['’])"
_AFTER = rf"(?![A-Za-z0-9#_]|\([A-Za-z]\)|['’][A-Za-z]|-[A-Za-z0-9]|\+(?![A-Za-z])|\s*=|(?!{_AFTER_HAN})[{IDEOGRAPHS}])"

_NAMED = r"(?:(?i:(?:the\s+)?(?:options?|choices?|letters?)\s*)|选项\s*)?"
_OPEN, _CLOSE = r"(?:[(\[【「『“\"'‘<]\s*)?", r"(?:\s*[)\]】」』”\"'’>])?"
_UNIT = r"(?:\s*(?:选项|项(?!目)))?"
_JOIN = (
    r"(?:\s*(?:[,;、/&+]|和|以?及|与|或者?)\s*(?i:(?:and|or|as\s+well\s+as)\s+)?"
    r"|\s+(?i:and|or|as\s+well\s+as|plus)\s+"
    r"|[ ]+(?=[A-HJ-Z](?![A-Za-z])))"
)


def _item(letter: str) -> str:
    return f"{_NAMED}{_OPEN}{_BEFORE}{letter}{_AFTER}{_CLOSE}{_UNIT}"


_ITEM, _ANY_ITEM = _item(_CAPITAL), _item(f"(?:{_CAPITAL}|{_SMALL})")
# Atomic, so that no list is cut short to make it fit; bounded here and below, or repetitive text takes quadratic time.
_CAPITALS = f"(?>{_ITEM}(?:{_JOIN}{_ITEM}){{0,25}})"
_ANY_CASE = f"(?>{_ANY_ITEM}(?:{_JOIN}{_ANY_ITEM}){{0,25}})"
_RUN = rf"{_OPEN}(?<![A-Za-z0-9])(?P<run>[A-Z]{{2,26}})(?![A-Za-z0-9-]){_CLOSE}"
_CHOICE = rf"(?:(?P<list>{_ANY_CASE})|{_RUN})"

LONE_LETTER = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])")
OR = re.compile(r"\bor\b|或", re.IGNORECASE)

# What is no part of the answer. Single blanks keep the patterns below from trying every split of a long gap.
BLANKS = re.compile(r"[^\S\n]+")
EMPTY_LINES = re.compile(r" ?\n\s*")
THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
TAG = re.compile(r"</?[A-Za-z][^<>\n]*>")
WRAPPER = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit)\s*\{([^{}]*)\}")
MARKUP = re.compile(r"\*+|`+|\$+|__|\\(?=[()\[\]])|^[#>]+[ \t]*", re.MULTILINE)
NEXT_QUESTION = re.compile(r"\n\s*(?:(?i:question|q)|问题|题目)\s*\d*\s*[::]")

_VERY = r"(?:(?i:also|all|both|clearly|obviously|definitely|therefore|likely|most\s+likely|probably|the)\s+)*"
_BE = r"(?i:is|are|was|were|would\s+be|should\s+be|must\s+be|seems?|looks?)"
_WRONG = r"(?i:not\b[^.;,\n]{0,40}|incorrect\b|wrong\b|false\b|excluded\b|eliminated\b|ruled\s+out\b)"
_NEGATED = (
    r"(?i:(?:isn't|aren't|wasn't)\b[^.;,\n]{0,40}"
    r"|(?:doesn't|don't|does\s+not|do\s+not)\s+(?:fit|apply|work|match|follow|hold|make\s+sense)\b)"
)
_HAN_WRONG = "(?:错|不正确|不对|不符|不选|不能选|不是|有误|可?以?排除)"
_NOT = (
    r"(?i:\b(?:not|isn't|aren't|cannot\s+be|can't\s+be|neither|nor|rather\s+than|instead\s+of|except(?:\s+for)?|"
    r"rul(?:e|ed|ing)\s+out|eliminat(?:e|ed|ing)|exclud(?:e|ed|ing))\s+)"
)
REJECTIONS = (
    re.compile(_NOT + _ANY_CASE),
    re.compile(rf"{_CAPITALS}(?:\.?\s+{_BE}\s+{_VERY}{_WRONG}|\s+{_NEGATED}|:\s*(?i:incorrect|wrong)\s*(?:[.;\n]|$))"),
    re.compile(rf"(?:不是|并非|而非|不应?选|不能选|排除|除了?)\s*{_CAPITALS}"),
    re.compile(rf"{_CAPITALS}(?:都|均|也)?(?:是|为)?{_HAN_WRONG}(?:误|的)?"),
)

# What makes letters a choice.
_LINK = r"(?:is|are|was|would\s+be|should\s+be|must\s+be|will\s+be)\b"
_ANSWER = (
    r"(?i:\b(?:answers?|choice|selection|(?:correct|right|best|final|appropriate|likely)\s+(?:option|letter|response)s?"
    rf"|statement|exception|one)\b(?:\s+(?:to|for|of)\s+[^.:\n]{{0,80}}?)?(?:\s+{_LINK}|\s*[:=]|\s*->)"
    r"|\b(?:choose|chose|pick|picked|select|selected|go(?:ing)?\s+with|went\s+with|opt(?:ed)?\s+for)\b)"
)
_HAN_ANSWER = "(?:答案[】」)\\]]?|选项\\s*(?:[:是为])|的(?:选项)?(?:是|为)|(?:故|应|所以|因此|我|可)?选择?)"
_FILLER = (
    r"(?:\s*(?:[:,]|(?i:(?:therefore|thus|then|probably|likely|most\s+likely|clearly|definitely|indeed|actually|"
    r"simply|just|but|rather|both|either|i\s+(?:think|believe|guess)|it\s+is|it's)\b)|而是|应该?|应当|选择?|就?是|为)){0,6}\s*"
)
BOXED = re.compile(rf"\\boxed\s*\{{\s*{_CHOICE}\s*\}}")
STATEMENT = re.compile(rf"(?:{_ANSWER}|{_HAN_ANSWER}){_FILLER}{_CHOICE}")
ONLY_LETTERS = re.compile(rf"^\W*?{_CHOICE}\W*$")
_MARK = (
    r"(?:\s*[)\]】」”\"](?!\w)|[.](?!\s?[A-Z]\.\s?[A-Z][a-z]|[A-Za-z]\.)(?!\d)(?!\s+(?:and|or)\b)|[:;、,。—–]"
    rf"|[ ](?=[{IDEOGRAPHS}]))"
)
LINE_START = re.compile(rf"^[ \t]*{_OPEN}({_CAPITAL}|{_SMALL})(?!{_CLOSE}{_JOIN}{_ITEM}){_MARK}", re.MULTILINE)
VERDICT = re.compile(
    rf"(?<![{IDEOGRAPHS}])(?:选项?|故|只有|和)?\s*({_CAPITALS})"
    rf"(?:\s+{_BE}\s+{_VERY}(?i:correct|right|true|best|answers?|(?:correct|right|best)\s+\w+)\b"
    r"|\s*(?:都|均|才)?(?:是|为)?(?:正确|对的|最佳|答案|符合))"
)
_LEAD = (
    r"(?i:\b(?:is|be|it's|think|say|guess|believe|maybe|perhaps|probably|likely|definitely|so|therefore|thus|hence|"
    r"then|only|also)\s+)"
)
_STAND_ALONE_END = r"(?=\s*(?:$|[,;:!?。—–)]|\.(?!\s?[A-Z]\.)(?![A-Za-z]))|\s+(?i:because|since|but|due|given)\b)"
MENTION = re.compile(
    rf"(?<!\w)[(\[【「“\"]({_BEFORE}{_CAPITAL})[)\]】」”\"]"
    rf"|(?:\b(?i:options?|choices?|letters?)|选项)\s*({_CAPITALS})"
    rf"|(?<![{IDEOGRAPHS}])({_BEFORE}{_CAPITAL})(?:选项|项(?!目))"
    rf"|(?:^\s*|(?<![A-Z])\.\s+|[,;:!?。—–]\s*|{_LEAD})({_CAPITALS}){_STAND_ALONE_END}",
    re.MULTILINE,
)
