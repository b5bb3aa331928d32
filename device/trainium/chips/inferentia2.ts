/** Inferentia2 (NeuronCore-v2). Sources: SDK 2.32 inferentia2.rst, trainium_inferentia2_arch.rst, neuron-core-v2.rst, nki-dma-bandwidth-guide.rst. */
import type { ChipSpec } from "./chip.ts";

export const inferentia2: ChipSpec = {
  name: "Inferentia2",
  core: "v2",
  cores: 2,
  logicalCores: [1],
  defaultLogicalCore: 1,
  hbmBytes: 32 * 2 ** 30,
  hbmBytesPerSecond: 820e9,
  hbmStacks: 2,
  dmaBytesPerSecondPerCore: 272e9, // 16 engines × 17 B/ns, practical
  dmaEnginesPerCore: 16,
  sbufBytesPerCore: 24 * 2 ** 20,
  psumBytesPerCore: 2 * 2 ** 20,
  clockHz: { tensor: 2.8e9, vector: 1.12e9, scalar: 1.4e9, gpsimd: 1.4e9 },
  vectorWidth: 128,
  scalarWidth: 128,
  tensorRate: { bf16: 1, f16: 1, fp8: 1, int8: 1, f32: 0.25 },
  link: { topology: "ring", bytesPerSecond: 96 * 2 ** 30, hopNanos: 1500 }, // 192 GiB/s both ways
  calibrated: true,
};
