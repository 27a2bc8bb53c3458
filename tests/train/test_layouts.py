import pytest

from train.corpora import read_manifest
from train.layouts import read_path
from train.settings import data_folders


@pytest.mark.parametrize(
    ("path", "corpus", "speaker", "emotion", "sex"),
    [
        ("Actor_02/03-01-05-02-01-01-02.wav", "ravdess", "02", "anger", "F"),
        ("OAF_Pleasant_surprise/OAF_back_ps.wav", "tess", "OAF", "surprise", "F"),
        ("wav/03a01Fa.wav", "emodb", "03", "happy", "M"),
        ("EMOVO/f1/pau-f1-b2.wav", "emovo", "f1", "fear", "F"),
        ("samples/MK0_sadness_12.wav", "nemo", "MK0", "sad", ""),
        ("h3-04-02-02-06.wav", "ased", "06", "happy", ""),
        ("AudioData/DC/su03.wav", "savee", "DC", "surprise", "M"),
        ("DC_su03.wav", "savee", "DC", "surprise", "M"),
        ("AudioWAV/1001_DFA_ANG_XX.wav", "cremad", "1001", "anger", ""),
        ("turev/Angry_1157_kz_acik.opus", "turev", "1157", "anger", ""),
        ("turev/Calm_1984_sk_elmacik.opus", "turev", "1984", "calm", ""),
        ("1/session2/sarcastic/1.2.sarcastic.wav", "iitkgp-sehsc", "1", "sarcastic", ""),
        ("home/happy/take 1.flac", "home", "unknown", "happy", ""),
    ],
)
def test_each_corpus_is_known_by_its_file_names(path: str, corpus: str, speaker: str, emotion: str, sex: str) -> None:
    clip = read_path(path)
    assert clip is not None
    assert (clip.corpus, clip.speaker, clip.emotion, clip.sex) == (corpus, speaker, emotion, sex)


def test_speaker_folders_are_read_when_asked_for() -> None:
    clip = read_path("home/ann/happy/1.wav", "speakers")
    assert clip is not None
    assert (clip.speaker, clip.emotion) == ("ann", "happy")


def test_a_name_of_another_layout_is_not_forced() -> None:
    assert read_path("home/happy/1.wav", "ravdess") is None


def test_the_readers_agree_with_the_manifest_of_the_real_corpora() -> None:
    folders = data_folders()
    if not (folders[0] / "manifest.csv").is_file():
        pytest.skip(f"no recordings at {folders[0]}; set AFFECTD_DATA")
    for row in [row for folder in folders for row in read_manifest(folder / "manifest.csv")]:
        clip = read_path(row.path)
        assert clip is not None, row.path
        assert (clip.corpus, clip.emotion, row.corpus + "_" + clip.speaker) == (row.corpus, row.emotion, row.speaker)
        assert clip.language == row.language
        assert clip.sex in ("", row.sex)
        assert not clip.intensity or clip.intensity == row.intensity
