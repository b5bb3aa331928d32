/** Takes requests, gives events (public shape). */
import type { Clock, Nanos } from "../device/clock.ts";
import type { Device, SequenceId } from "../device/device.ts";
import type { EngineListener } from "./events.ts";
import type { EngineHealth, EngineOptions } from "./options.ts";
import type { TokenSampler } from "./sample/sampler.ts";
import type { GenerationRequest } from "./sequence.ts";

export interface EngineParts {
  readonly device: Device;
  readonly clock: Clock;
  /** The one the device was made with. */
  readonly sampler: TokenSampler;
}

export class Engine {
  readonly #parts: EngineParts;
  readonly options: EngineOptions;

  constructor(parts: EngineParts, options: EngineOptions) {
    this.#parts = parts;
    this.options = options;
  }

  get running(): number {
    return 0;
  }

  get waiting(): number {
    return 0;
  }

  /** 0 to 1; cached blocks that nobody holds count as free. */
  get kvUsage(): number {
    return 0;
  }

  /** Ids of the `n` completions. Throws PromptTooLongError, QueueFullError, EngineClosedError. */
  submit(_request: GenerationRequest): readonly SequenceId[] {
    throw new Error(`Engine on ${this.#parts.device.name} is not built yet.`);
  }

  /** Ends a sequence; takes effect now, or when the step that holds it ends. Unknown ids are ignored. */
  finish(_id: SequenceId, _reason: "stop" | "abort"): void {}

  /** Returns the way out. Events come synchronously, in order. */
  subscribe(_listener: EngineListener): () => void {
    return () => {};
  }

  /** False, and nothing done, while a sequence holds blocks. */
  resetPrefixCache(): boolean {
    return true;
  }

  health(_now: Nanos): EngineHealth {
    return { pending: false, sinceProgress: 0, failures: 0 };
  }

  /** Resolves when nothing runs, waits or is under way. */
  async idle(): Promise<void> {}

  /** Ends everything with `abort`, waits for the steps under way and closes the device. */
  async close(): Promise<void> {}
}
