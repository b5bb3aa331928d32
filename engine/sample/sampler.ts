/** The sampling policy (public shape). */
import type { BatchRow, PositionLogprobs, Sampled, Sampler } from "../../device/device.ts";

export type LogprobsMode =
  | "raw_logprobs"
  | "processed_logprobs"
  | "raw_logits"
  | "processed_logits";

export interface SamplerOptions {
  /** Absent: 0. */
  readonly seed?: number;
  /** Absent: raw_logprobs. */
  readonly logprobsMode?: LogprobsMode;
}

export class TokenSampler implements Sampler {
  readonly options: SamplerOptions;

  constructor(options: SamplerOptions = {}) {
    this.options = options;
  }

  sample(_row: BatchRow, _logits: Float32Array): Sampled {
    throw new Error("TokenSampler is not built yet.");
  }

  prompt(_row: BatchRow, _position: number, _logits: Float32Array): readonly PositionLogprobs[] {
    return [];
  }
}
