"""What a model says of a row and what it decides, put into words."""

from __future__ import annotations

from drivetrain.core.errors import examples
from drivetrain.core.model import DecisionRule
from drivetrain.core.task import Task
from drivetrain.store.models import ModelContent
from drivetrain.store.pages import show_number


def said_words(content: ModelContent) -> str:
    """What the score is."""
    signature = content.signature
    of = f"{signature.target}, for one {signature.entity}"
    if signature.blind:
        return (
            f"The score says how odd a row is: the share of usual rows that look less odd, for one {signature.entity}."
        )
    if signature.task is Task.YES_NO:
        return f"The score is the probability that {signature.target} is true, for one {signature.entity}."
    if signature.task is Task.CLASSES:
        known = f"{len(signature.classes)} classes ({examples(signature.classes)})"
        return f"The answer is the likeliest of {known} of {of}; the score is its probability."
    share = (
        f", with an interval that is to hold {content.interval.coverage:.0%} of the truths" if content.interval else ""
    )
    return f"The score is an estimate of {of}{share}."


def rule_words(content: ModelContent) -> str:
    """What the decision rule does, and where its threshold comes from."""
    rule, task = content.decision, content.signature.task
    if rule.kind == "none":
        given = "Every answer is given; none goes to a person."
        nothing = "Nothing is decided: the estimate is for whoever asks to judge."
        return f"{given if task is Task.CLASSES else nothing}{_rules(content)}"
    because = f"This {'limit' if rule.kind == 'limit' else 'threshold'} {_reason(rule)}."
    if task is Task.CLASSES:
        return f"An answer of a probability below {rule.threshold:.4g} goes to a person. {because}{_rules(content)}"
    what, side = ("An estimate" if task is Task.NUMBER else "A score"), "less" if rule.below else "more"
    shown = show_number(rule.threshold) if task is Task.NUMBER else f"{rule.threshold:.4g}"
    return f"{what} of {shown} or {side} is flagged. {because}{_rules(content)}"


def _rules(content: ModelContent) -> str:
    """What overrules it, with a space before."""
    names = examples([rule.name for rule in content.rules], 10)
    return f" Whatever the model says, hard rules decide first: {names}." if names else ""


def _reason(rule: DecisionRule) -> str:
    first, second, share = rule.false_positive or 0, rule.false_negative or 0, rule.capacity or 0
    if rule.kind == "cost":
        times = f" times {rule.times}" if rule.times else ""
        most = f", and flags at most {share:.2%} of the cases" if share else ""
        return f"has the least expected cost when a false alarm costs {first:g} and a miss {second:g}{times}{most}"
    if rule.kind == "hand_over":
        return f"has the least expected cost when a wrong answer costs {first:g} and a person {second:g}"
    if rule.kind == "capacity":
        return f"flags as many cases as can be looked at, {share:.2%}"
    if rule.kind == "rejection":
        return f"gives a person the least sure {share:.2%} of the cases"
    return "is a number that somebody decided"
