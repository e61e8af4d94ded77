"""What the official evaluators compute, written down anew from their published scripts, step by step.

Used as references only. They share nothing with the package, go the long way round, and walk the
datasets' own schemas as the scripts do:

- SQuAD: ``evaluate-v1.1.py`` and ``evaluate-v2.0.py`` by Rajpurkar, Jia and Liang;
- HotpotQA: ``hotpot_evaluate_v1.py`` by Yang et al.;
- DROP: ``drop_eval.py`` by Dua et al. (allennlp-reading-comprehension);
- CMRC 2018: ``cmrc2018_evaluate.py``, version 6, by Cui et al.;
- MultiRC: ``multirc_measures.py`` by Khashabi et al.
"""

import itertools
import re
import string


def squad_words(text):
    kept = []
    for character in text.lower():
        if character not in string.punctuation:
            kept.append(character)
    return re.sub(r"\b(?:a|an|the)\b", " ", "".join(kept)).split()


def squad_exact(prediction, gold):
    return 1 if " ".join(squad_words(prediction)) == " ".join(squad_words(gold)) else 0


def shared_words(prediction, gold):
    left, same = list(gold), 0
    for word in prediction:
        if word in left:
            left.remove(word)
            same += 1
    return same


def squad_prf(prediction, gold):
    answer, expected = squad_words(prediction), squad_words(gold)
    same = shared_words(answer, expected)
    if not same:
        return 0, 0, 0
    precision, recall = 1.0 * same / len(answer), 1.0 * same / len(expected)
    return (2 * precision * recall) / (precision + recall), precision, recall


def squad_v2_f1(prediction, gold):
    answer, expected = squad_words(prediction), squad_words(gold)
    if not answer or not expected:
        return int(answer == expected)
    return squad_prf(prediction, gold)[0]


def questions_of(dataset):
    for article in dataset:
        for paragraph in article["paragraphs"]:
            yield from paragraph["qas"]


def squad_v1_evaluate(dataset, predictions):
    exact = f1 = total = 0
    for question in questions_of(dataset):
        total += 1
        golds = [answer["text"] for answer in question["answers"]]
        prediction = predictions[question["id"]]
        exact += max(squad_exact(prediction, gold) for gold in golds)
        f1 += max(squad_prf(prediction, gold)[0] for gold in golds)
    return {"exact_match": 100.0 * exact / total, "f1": 100.0 * f1 / total}


def squad_v2_evaluate(dataset, predictions, na_probs=None, threshold=1.0):
    has_answer, exact, f1 = {}, {}, {}
    for question in questions_of(dataset):
        key = question["id"]
        has_answer[key] = bool(question["answers"])
        golds = [answer["text"] for answer in question["answers"] if squad_words(answer["text"])]
        if not golds:
            golds = [""]
        exact[key] = max(squad_exact(predictions[key], gold) for gold in golds)
        f1[key] = max(squad_v2_f1(predictions[key], gold) for gold in golds)
    probabilities = dict.fromkeys(predictions, 0.0) if na_probs is None else na_probs
    result = {}
    kinds = (("", None), ("HasAns_", True), ("NoAns_", False))
    for name, scores in (("exact", exact), ("f1", f1)):
        kept = dict(scores)
        for key in kept:
            if probabilities[key] > threshold:
                kept[key] = float(not has_answer[key])
        for prefix, kind in kinds:
            keys = [key for key in kept if kind is None or has_answer[key] == kind]
            if keys:
                result[prefix + name] = 100.0 * sum(kept[key] for key in keys) / len(keys)
                result[prefix + "total"] = len(keys)
        if na_probs is not None:
            best, where = squad_v2_best_threshold(predictions, scores, na_probs, has_answer)
            result["best_" + name], result["best_" + name + "_thresh"] = best, where
    return result


def squad_v2_best_threshold(predictions, scores, na_probs, has_answer):
    current = len([key for key in has_answer if not has_answer[key]])
    best, threshold = current, 0.0
    for key in sorted(na_probs, key=lambda key: na_probs[key]):
        if has_answer[key]:
            current += scores[key]
        elif predictions[key]:
            current -= 1
        if current > best:
            best, threshold = current, na_probs[key]
    return 100.0 * best / len(scores), threshold


def hotpot(prediction, gold):
    answer, expected = " ".join(squad_words(prediction)), " ".join(squad_words(gold))
    exact = answer == expected
    for side in (answer, expected):
        if side in ("yes", "no", "noanswer") and not exact:
            return exact, 0, 0, 0
    return exact, *squad_prf(prediction, gold)


def is_float(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def drop_span(text):
    parts = []
    for token in re.split(" |-", text):
        word = token.lower()
        if not is_float(word):
            word = "".join(character for character in word if character not in set(string.punctuation))
        if is_float(word):
            word = str(float(word))
        word = " ".join(re.sub(r"\b(?:a|an|the)\b", " ", word).split())
        if word.strip():
            parts.append(word)
    return " ".join(parts).strip()


def drop_pair(answer, gold):
    numbers = [word for word in gold if is_float(word)]
    if numbers and not any(number in answer for number in numbers):
        return 0.0
    same = len([word for word in gold if word in answer])
    precision = 1.0 if not answer else same / len(answer)
    recall = 1.0 if not gold else same / len(gold)
    return 0.0 if precision == recall == 0.0 else 2 * precision * recall / (precision + recall)


def drop_metrics(predicted, gold):
    """Exact match and F1 of lists of spans; the best pairing by trying all of them."""
    answers, expected = [drop_span(span) for span in predicted], [drop_span(span) for span in gold]
    exact = float(sorted(set(answers)) == sorted(set(expected)) and len(answers) == len(expected))
    bags = [[set(span.split()) for span in spans] for spans in (answers, expected)]
    few, many = sorted(bags, key=len)
    best = 0.0
    for chosen in itertools.permutations(many, len(few)):
        pairs = zip(few, chosen, strict=True)
        scores = [drop_pair(one, other) if few is bags[0] else drop_pair(other, one) for one, other in pairs]
        best = max(best, sum(scores))
    return exact, best / len(many)


def drop_answer_spans(answer):
    if answer.get("number"):
        return [str(answer["number"])]
    if answer.get("spans"):
        return list(answer["spans"])
    return [f"{answer['date']['day']} {answer['date']['month']} {answer['date']['year']}"]


CMRC_MARKS = list("-:_*^/\\~`+=") + list("，。：？！“”；’《》") + ["……"] + list("·、「」（）－～『』")


def cmrc_segments(text, word_tokenize):
    found, pending = [], ""
    for character in text.lower().strip():
        if character in CMRC_MARKS:
            continue
        if "\u4e00" <= character <= "\u9fa5":
            if pending:
                found += word_tokenize(pending)
            pending = ""
            found.append(character)
        else:
            pending += character
    return found + (word_tokenize(pending) if pending else [])


def cmrc(prediction, golds, word_tokenize):
    """Exact match and F1."""
    strip = [[c for c in text.lower().strip() if c not in CMRC_MARKS] for text in (prediction, *golds)]
    f1 = 0.0
    for gold in golds:
        expected, answer = cmrc_segments(gold, word_tokenize), cmrc_segments(prediction, word_tokenize)
        longest = longest_shared(expected, answer)
        if longest:
            precision, recall = longest / len(answer), longest / len(expected)
            f1 = max(f1, 2 * precision * recall / (precision + recall))
    return float(strip[0] in strip[1:]), f1


def longest_shared(one, other):
    for size in range(min(len(one), len(other)), 0, -1):
        runs = {tuple(one[start : start + size]) for start in range(len(one) - size + 1)}
        if any(tuple(other[start : start + size]) in runs for start in range(len(other) - size + 1)):
            return size
    return 0


def multirc_per_question(predicted, labels):
    """Harmonic mean of the mean precision and the mean recall of lists of 0 and 1."""
    precisions, recalls = [], []
    for answer, gold in zip(predicted, labels, strict=True):
        agreed = sum(a * b for a, b in zip(answer, gold, strict=True))
        precisions.append(agreed / sum(answer) if sum(answer) > 0 else 1.0)
        recalls.append(agreed / sum(gold) if sum(gold) > 0 else 1.0)
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return 2 * precision * recall / (precision + recall)
