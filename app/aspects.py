"""What people hear in a voice: what each aspect adds, and the utterance again with some of them as usual."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import palette
from app.plots import bars
from edge.cli.sounds import wav
from edge.errors import AffectdError
from edge.explain import aspects, resynthesis, texts
from edge.explain.by_aspects import AspectEffects
from edge.explain.resynthesis import Voice


def show(found: AspectEffects, target: str) -> None:
    """Show the aspects of one utterance."""
    moved = {name: effect for name, effect in found.effects.items() if effect.words != texts.AS_USUAL}
    if moved:
        st.altair_chart(bars.contributions({one.words: one.effect for one in moved.values()}, palette.current()))
    rows = [
        {"aspect": texts.ASPECT_NAMES[name], "here": effect.own, "usual": effect.usual, "unit": effect.unit}
        for name, effect in found.effects.items()
    ]
    notes = [f"{texts.ASPECT_NAMES[name]}: {reason}" for name, reason in found.absent.items()]
    as_usual = [texts.ASPECT_NAMES[name] for name in found.effects if name not in moved]
    if as_usual:
        notes.append(f"as usual: {', '.join(as_usual)}")
    other = found.counterfactual
    if other:
        names = ", ".join(texts.ASPECT_NAMES[name] for name in other.aspects)
        notes.append(f"with {names} as usual the verdict would be {other.label}")
    if not moved:
        notes.append(f"nothing in this voice is far from usual, so nothing of it says why {target}")
    st.caption(". ".join(note[:1].upper() + note[1:] for note in notes))
    with st.expander("The figures"):
        st.dataframe(rows, hide_index=True)


def play(samples: NDArray[np.int16], found: AspectEffects) -> None:
    """Players of the utterance with the aspects that somebody chooses put back to usual."""
    names = [name for name, effect in found.effects.items() if effect.words != texts.AS_USUAL]
    if not names:
        return
    chosen = st.pills(
        "Listen with … as usual",
        names,
        selection_mode="multi",
        default=max(names, key=lambda name: abs(found.effects[name].effect)),
        format_func=texts.ASPECT_NAMES.__getitem__,
        key="as-usual",
    )
    try:
        voice = Voice.of(samples)
    except AffectdError as error:
        st.info(str(error), icon=":material/info:")
        return
    before, after = st.columns(2)
    before.caption("The voice, made again")
    before.audio(wav(voice.sound()))
    after.caption(f"With the usual {', '.join(texts.ASPECT_NAMES[name] for name in chosen) or '…'}")
    after.audio(wav(voice.sound(resynthesis.together([_back(found, name) for name in chosen]))))


def _back(found: AspectEffects, name: str) -> aspects.Change:
    effect = found.effects[name]
    return aspects.change(name, aspects.difference(name, effect.own, effect.usual))
