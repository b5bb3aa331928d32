/** Trainium2 (NeuronCore-v3). Sources: SDK 2.32 trainium2.rst, trainium2_arch.rst, neuron-core-v3.rst, nki-dma-bandwidth-guide.rst. */
import type { ChipSpec } from "./chip.ts";

export const trainium2: ChipSpec = {
  name: "Trainium2",
  core: "v3",
  cores: 8,
  logicalCores: [1, 2],
  defaultLogicalCore: 2,
  hbmBytes: 96 * 2 ** 30,
  hbmBytesPerSecond: 2.9e12,
  hbmStacks: 4, // 24 GB each, shared by two physical cores
  dmaBytesPerSecondPerCore: 368e9, // 16 engines × 23 B/ns, practical
  dmaEnginesPerCore: 16,
  sbufBytesPerCore: 28 * 2 ** 20,
  psumBytesPerCore: 2 * 2 ** 20,
  clockHz: { tensor: 2.4e9, vector: 0.96e9, scalar: 1.2e9, gpsimd: 1.2e9 },
  vectorWidth: 256, // 512 on BF16 only, 256 where FP32 is mixed in, as in a softmax
  scalarWidth: 128,
  tensorRate: { bf16: 1, f16: 1, fp8: 2, f32: 0.25 },
  link: {
    topology: "torus-2d", // 4 × 4 in the instance; UltraServers add a third axis
    bytesPerSecond: 512e9, // 1024 GB/s both ways
    interBytesPerSecond: 128e9, // 256 GB/s both ways
    hopNanos: 1500,
  },
  watts: 500,
  calibrated: true,
};
