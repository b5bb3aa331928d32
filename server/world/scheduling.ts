/** Scheduling flags that do not go together, refused as vLLM refuses them (config/scheduler.py). */
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";

/** `maxModelLen`: what it came to, given or derived. Throws SettingsError. */
export function checkScheduling(settings: Settings, maxModelLen: number): void {
  const tokens = settings["max-num-batched-tokens"];
  const sequences = settings["max-num-seqs"];
  const threshold = settings["long-prefill-token-threshold"];
  if (tokens !== undefined && tokens < maxModelLen && !settings["enable-chunked-prefill"]) {
    throw new SettingsError(
      `--max-num-batched-tokens ${tokens} is smaller than the max_model_len ${maxModelLen}: without chunked prefill longer prompts could not be computed. Increase --max-num-batched-tokens, decrease --max-model-len, or leave chunked prefill on.`,
    );
  }
  if (tokens !== undefined && sequences !== undefined && tokens < sequences) {
    throw new SettingsError(
      `--max-num-batched-tokens ${tokens} must be greater than or equal to --max-num-seqs ${sequences}.`,
    );
  }
  if (threshold > maxModelLen) {
    throw new SettingsError(
      `--long-prefill-token-threshold ${threshold} cannot be greater than the max_model_len ${maxModelLen}.`,
    );
  }
}
