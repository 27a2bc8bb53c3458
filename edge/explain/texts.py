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
