"""What a user would pick today for the emotion of a clip: three alternatives to affectd, for their costs alone.

Their weights are random: that does not change the cost. Each gives one label and no explanation.
"""

import os

import numpy as np
import torch
from torch import nn

from edge.audio import SAMPLE_RATE

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is fetched: configurations are made here

CLASSES = 7
SUPPORT_CLIPS = 5_000  # that the SVM is fitted on: half of a corpus or two

torch.set_num_threads(1)


def floats(samples: np.ndarray) -> np.ndarray:
    """int16 [n] as float32 in -1..1."""
    return (samples / np.float32(32768)).astype(np.float32)


class FrozenWhisper:
    """The encoder of Whisper tiny as it is usually run: padded to 30 s, all blocks, in torch, and a linear head."""

    def __init__(self) -> None:
        from transformers import WhisperConfig, WhisperFeatureExtractor
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        torch.manual_seed(0)
        size = WhisperConfig(
            d_model=384, encoder_layers=4, encoder_attention_heads=6, encoder_ffn_dim=1536, num_mel_bins=80
        )
        self._features = WhisperFeatureExtractor(feature_size=80)
        self._encoder, self._head = WhisperEncoder(size).eval(), nn.Linear(384, CLASSES).eval()

    def analyse(self, samples: np.ndarray) -> int:
        """The label's number, for int16 [n] at 16 kHz."""
        spectrum = self._features(floats(samples), sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
        with torch.inference_mode():
            return int(self._head(self._encoder(spectrum).last_hidden_state.mean(dim=1)).argmax())


class Wav2Vec:
    """transformers' audio-classification pipeline over a network of the size of wav2vec 2.0 base."""

    def __init__(self) -> None:
        from transformers import (
            AudioClassificationPipeline,
            Wav2Vec2Config,
            Wav2Vec2FeatureExtractor,
            Wav2Vec2ForSequenceClassification,
        )

        torch.manual_seed(0)
        network = Wav2Vec2ForSequenceClassification(Wav2Vec2Config(num_labels=CLASSES)).eval()
        self._pipeline = AudioClassificationPipeline(network, feature_extractor=Wav2Vec2FeatureExtractor())

    def analyse(self, samples: np.ndarray) -> str:
        """The label, for int16 [n] at 16 kHz."""
        return str(self._pipeline({"raw": floats(samples), "sampling_rate": SAMPLE_RATE}, top_k=1)[0]["label"])


class Egemaps:
    """openSMILE's eGeMAPSv02, 88 numbers a clip, and a support vector machine with a radial kernel."""

    def __init__(self) -> None:
        import opensmile
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        self._smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
        generator = np.random.default_rng(0)
        numbers = generator.standard_normal((SUPPORT_CLIPS, len(self._smile.feature_names)))
        self._machine = make_pipeline(StandardScaler(), SVC())
        self._machine.fit(numbers, generator.integers(0, CLASSES, SUPPORT_CLIPS))

    def analyse(self, samples: np.ndarray) -> int:
        """The label's number, for int16 [n] at 16 kHz."""
        numbers = self._smile.process_signal(floats(samples), SAMPLE_RATE).to_numpy()
        return int(self._machine.predict(np.nan_to_num(numbers))[0])
