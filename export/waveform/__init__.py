"""From sound to verdict in one ONNX graph, and in pieces, for whatever runs ONNX Runtime: a browser, a phone, C++.

What the device does in Python to one utterance becomes nodes of the graph, in the same order and precision:

1. ``sound``: samples in the steps of 16 bits. The ``highpass`` is a recursion, which no operator computes over any
   length: products with fixed matrices, and a sum over the blocks whose states have not faded into the rounding. Then
   the mains hum, a median over tenths of a second.
2. ``spectra``: power spectra in double precision (``DFT``), whose valleys single precision would fill with noise; and
   Whisper's log-mel, a product with cosines and sines, as precise.
3. ``families``: the hand-made columns. Nothing there looks beyond a frame; the pitch is the largest peak of a
   correlation, which is a product with cosines, and a parabola through it.
4. ``speech``: the bundle's own encoder graph, as it is, in a ``Loop`` over pieces of 15 s.
5. ``model``: the scaler, and the bundle's own network graph for a source that nothing is known of.
6. ``verdict``: the calibrated probabilities, and the intensity where the bundle has a head for it.

Operators are those of opset 17 without extensions, all of which the WebAssembly build of ONNX Runtime has. That build
cannot be fed an input that has a default, so ``coalitions.onnx`` is the bundle's with every input required.

``spectra.onnx``, ``frames.onnx`` and ``model.onnx`` are the same in pieces: up to 2, up to 4, and the network of 5.

``manifest`` writes what else a page needs to know; ``parity`` compares with the device before anything is replaced.
"""

from export.waveform.model import coalitions, pieces, waveform
from export.waveform.write import write

__all__ = ["coalitions", "pieces", "waveform", "write"]
