// How a recording sounds, in C++: c++ -std=c++17 waveform.cpp -lonnxruntime -o waveform, then
// ./waveform DIR/affectd.onnx speech.raw (mono, 16 kHz, 16 bits, little endian, no header). Labels: affectd.json.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include <onnxruntime_cxx_api.h>

int main(int, char** arguments) {
  std::ifstream file(arguments[2], std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const auto* pcm = reinterpret_cast<const std::int16_t*>(bytes.data());
  std::vector<float> samples(pcm, pcm + bytes.size() / 2);
  for (float& sample : samples) sample /= 32768.0f;

  Ort::Env environment;
  Ort::Session session(environment, arguments[1], Ort::SessionOptions());
  const std::int64_t shape[] = {1, static_cast<std::int64_t>(samples.size())};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const auto input = Ort::Value::CreateTensor<float>(memory, samples.data(), samples.size(), shape, 2);
  const char *inputs[] = {"samples"}, *outputs[] = {"probabilities"};
  const auto heard = session.Run(Ort::RunOptions(), inputs, &input, 1, outputs, 1);
  const float* probabilities = heard[0].GetTensorData<float>();
  for (std::size_t place = 0; place < heard[0].GetTensorTypeAndShapeInfo().GetElementCount(); ++place)
    std::printf("%.3f\n", probabilities[place]);
}
