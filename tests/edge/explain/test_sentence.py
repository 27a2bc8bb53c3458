"""What people are told about an explanation."""

import msgspec
import pytest

from edge.explain import texts
from edge.explain.explainer import Explanation, FeatureEffect, TimeEffect
from edge.explain.sentence import sentence
from edge.features import SIX, SPEECH

ANGRY = Explanation(
    method="shapley-families",
    target="anger",
    baseline="training mean",
    base_value=-1.0,
    value=2.0,
    families={"mfcc": 0.2, "mel": 1.0, "prosody": 1.8},
    evaluations=64,
    milliseconds=5.0,
)


def said(**changes: object) -> str:
    return sentence(msgspec.structs.replace(ANGRY, **changes))


def test_main_reason_is_named():
    assert said() == "Sounds angry, mostly because of melody and loudness."


def test_two_reasons_share_a_verdict():
    told = said(families={"mfcc": 0.9, "mel": 1.0, "prosody": 1.1})
    assert told == "Sounds angry, because of melody and loudness and how loud it is from low to high."


def test_objection_is_said():
    assert said(families={"mfcc": -1.0, "prosody": 2.0}).endswith("although the colour of the voice speaks against it.")


@pytest.mark.parametrize("changes", [{"families": {"mfcc": 0.03, "mel": 0.02}}, {"residual": 0.5}])
def test_nothing_is_claimed_that_small_shares_or_a_large_residual_do_not_hold(changes):
    told = said(**changes)
    assert texts.NOTHING in told
    assert "because" not in told


def test_uncertain_verdict_stays_uncertain():
    assert said(uncertain=True).startswith("Not sure; at best it sounds angry")


def test_comparison_names_both_labels():
    assert said(against="fear").startswith("Sounds angry rather than afraid")


def test_moment_and_feature_are_said_where_known():
    told = said(
        segment=TimeEffect(start_s=0.5, end_s=1.25, effect=0.7),
        features=[FeatureEffect(feature="prosody_energy", name="loudness", effect=1.1)],
    )
    assert told.endswith("most of all from 0.5 to 1.2 s, the single feature that counts most is loudness.")


def test_unknown_label_is_quoted():
    assert said(target="bored").startswith("Sounds like “bored”")


def test_every_family_has_words():
    assert set(texts.FAMILIES) == {*SIX.families, SPEECH}
