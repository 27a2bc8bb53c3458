"""Every English phrase that a sentence about an explanation is made from: translate this file to translate them.

``{}`` stands for what the rules of ``edge.explain.sentence`` put in.
"""

EMOTIONS = {
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "afraid",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "sarcastic": "sarcastic",
    "surprise": "surprised",
}
"""How somebody sounds, by label; a label that is not here is quoted."""

FAMILIES = {
    "mfcc": "the colour of the voice",
    "mel": "how loud it is from low to high",
    "chroma": "the notes of the voice",
    "contrast": "how far the tones stand out",
    "tonnetz": "the harmony of its tones",
    "prosody": "melody and loudness",
    "speech": "what a pretrained network hears in it",
}
"""What a family of features listens to; a family that is not here is called by its name."""

ASPECTS = {
    "pitch": ("the pitch is low", "the pitch is high"),
    "pitch_movement": ("the pitch hardly moves", "the pitch moves a lot"),
    "loudness": ("it is quiet", "it is loud"),
    "loudness_movement": ("the loudness hardly changes", "the loudness changes a lot"),
    "tempo": ("it is slow", "it is fast"),
    "brightness": ("the voice is dull", "the voice is bright"),
    "clarity": ("the voice is breathy or rough", "the voice is clear"),
}
"""What is heard of an aspect that is below what is usual, and above it."""

ASPECT_NAMES = {
    "pitch": "pitch",
    "pitch_movement": "movement of the pitch",
    "loudness": "loudness",
    "loudness_movement": "changes of loudness",
    "tempo": "tempo",
    "brightness": "brightness",
    "clarity": "clarity of the voice",
}
"""What an aspect is called."""

AS_USUAL = "as usual"
NO_PITCH = "too little of it has a pitch, as when somebody whispers"
NO_MODULATION = "its level never changes"
NOT_CLEARER = "breathy or rough, and no change makes such a voice clear"
TOO_SHORT = "The clip is shorter than {} s, in which no melody can be heard: give more of it"
TOO_LONG = "The clip is longer than {} s, too long for aspects, which are of one utterance: cut it"
NO_PROSODY = "The bundle {} does not hear both log-mel and prosody, from which aspects are measured: use one that does"
MOSTLY_SINCE = "mostly because {}"
SINCE = "because {}"
DESPITE = "although {}"
COUNTERFACTUAL = "; with {} as usual it would sound {}"

OTHER_EMOTION = "like “{}”"
SOUNDS = "Sounds {}"
RATHER = "Sounds {} rather than {}"
UNCERTAIN = "Not sure; at best it sounds {}"
NOTHING = "no single part of the sound stands out as the reason"
MOSTLY = "mostly because of {}"
BECAUSE = "because of {}"
ALTHOUGH = "although {} speaks against it"
ALTHOUGH_SEVERAL = "although {} speak against it"
WHEN = "most of all from {:.1f} to {:.1f} s"
FEATURE = "the single feature that counts most is {}"
AND = "{} and {}"
