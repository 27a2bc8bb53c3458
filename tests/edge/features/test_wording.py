from itertools import pairwise

import pytest

from edge import features
from edge.features.wording import words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mfcc_2", "MFCC 2"),
        ("chroma_a", "chroma A"),
        ("chroma_c_sharp", "chroma C♯"),
        ("contrast_0hz", "contrast 0-200 Hz"),
        ("contrast_400hz", "contrast 400-800 Hz"),
        ("contrast_6400hz", "contrast 6.4-8 kHz"),
        ("tonnetz_fifth_x", "tonnetz fifth x"),
        ("prosody_pitch", "pitch"),
        ("prosody_energy", "loudness"),
        ("prosody_hammarberg_index", "Hammarberg index"),
        ("mfcc_2_mean", "mean of MFCC 2"),
        ("chroma_c_sharp_std", "spread of chroma C♯"),
        ("contrast_800hz_max", "highest contrast 0.8-1.6 kHz"),
    ],
)
def test_names_a_person_understands(name, expected):
    assert words(name) == expected


def test_mel_bands_meet():
    edges = [words(f"mel_{band}").removeprefix("mel ").split("-") for band in range(20, features.MELS)]
    for (_, upper), (lower, _) in pairwise(edges):
        assert upper.split()[0] == lower


def test_every_feature_has_a_name_of_its_own():
    for names in (features.SIX.names, features.POOLED_NAMES):
        assert len({words(name) for name in names}) == len(names)
