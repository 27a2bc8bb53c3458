// How a recording sounds, in JavaScript: node waveform.cjs DIR speech.wav (mono, 16 kHz, 16 bits), after
// `npm install onnxruntime-web`. In a browser it is the same, with fetch in place of readFileSync.
const { readFileSync } = require("node:fs");
const ort = require("onnxruntime-web");

async function main(folder, file) {
  const { buffer } = new Uint8Array(readFileSync(file)).slice(44); // behind the header
  const samples = Float32Array.from(new Int16Array(buffer), (value) => value / 32768);
  const session = await ort.InferenceSession.create(`${folder}/affectd.onnx`);
  const heard = await session.run({ samples: new ort.Tensor("float32", samples, [1, samples.length]) });
  const { labels } = JSON.parse(readFileSync(`${folder}/affectd.json`));
  labels.forEach((label, place) => console.log(label, heard.probabilities.data[place].toFixed(3)));
}

main(...process.argv.slice(2));
