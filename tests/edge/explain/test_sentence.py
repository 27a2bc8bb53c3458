"""What people are told about an explanation."""

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from edge.explain import texts
from edge.explain.aspects import ASPECTS
from edge.explain.by_aspects import AspectEffect, AspectEffects, Counterfactual
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


def voice(counterfactual: Counterfactual | UnsetType = UNSET, **shares: float) -> AspectEffects:
    return AspectEffects(
        base_value=0.0,
        value=sum(shares.values()),
        effects={
            name: AspectEffect(words=texts.ASPECTS[name][1], own=1.0, usual=0.5, unit="", effect=share)
            for name, share in shares.items()
        },
        counterfactual=counterfactual,
        evaluations=4,
    )


def test_what_people_hear_is_said_in_place_of_families():
    assert said(aspects=voice(pitch=2.0, loudness=0.5)) == "Sounds angry, mostly because the pitch is high."


def test_two_aspects_and_an_objection():
    told = said(aspects=voice(pitch=1.0, loudness=1.1, brightness=0.4, tempo=-1.2))
    assert told == "Sounds angry, because it is loud and the pitch is high, although it is fast."


def test_aspects_that_say_nothing_leave_the_word_to_families():
    assert said(aspects=voice(pitch=0.02)) == said()
    assert said(aspects=voice()) == said()


@pytest.mark.parametrize(("names", "is_said"), [(["pitch"], True), (["pitch", "tempo", "loudness"], False)])
def test_another_verdict_is_said_where_few_aspects_make_it(names, is_said):
    told = said(aspects=voice(Counterfactual(aspects=names, label="neutral"), pitch=2.0))
    assert told.endswith("; with pitch as usual it would sound neutral.") == is_said


def test_every_aspect_has_its_words():
    assert set(texts.ASPECTS) == set(texts.ASPECT_NAMES) == set(ASPECTS)


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
