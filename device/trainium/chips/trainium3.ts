/**
 * Trainium3 (NeuronCore-v4). Sources: SDK 2.32 trainium3.rst, trainium3_arch.rst,
 * neuron-core-v4.rst, trn3-arch.rst. The pages disagree on the links; the per-level
 * figures are used: 256 GB/s to the server's switch, 320 GB/s in the rack, 128 GB/s across.
 */
import type { ChipSpec } from "./chip.ts";

export const trainium3: ChipSpec = {
  name: "Trainium3",
  core: "v4",
  cores: 8,
  logicalCores: [1, 2],
  defaultLogicalCore: 2,
  hbmBytes: 144 * 2 ** 30,
  hbmBytesPerSecond: 4.9e12,
  hbmStacks: 4,
  dmaBytesPerSecondPerCore: 528e9, // 16 engines × 33 B/ns, practical
  dmaEnginesPerCore: 16,
  sbufBytesPerCore: 32 * 2 ** 20,
  psumBytesPerCore: 2 * 2 ** 20,
  clockHz: { tensor: 2.4e9, vector: 1.2e9, scalar: 1.2e9, gpsimd: 1.2e9 },
  vectorWidth: 512,
  scalarWidth: 256,
  tensorRate: { bf16: 1, f16: 1, fp8: 2, mxfp8: 4, mxfp4: 4, f32: 0.25 },
  link: {
    topology: "switch",
    bytesPerSecond: 576e9,
    interBytesPerSecond: 128e9,
    hopNanos: 700,
  },
  watts: 1000,
  calibrated: false,
};
