/** Scheduling flags that vLLM refuses together. */
import { describe, expect, it } from "vitest";
import { parseSettings } from "../../../server/config.ts";
import { SettingsError } from "../../../server/settings/error.ts";
import { checkScheduling } from "../../../server/world/scheduling.ts";

describe("flags that do not go together", () => {
  const check = (argv: readonly string[], maxModelLen: number) => () =>
    checkScheduling(parseSettings(argv).settings, maxModelLen);

  it("are refused where vLLM refuses them", () => {
    const off = "--no-enable-chunked-prefill";
    expect(check([off, "--max-num-batched-tokens", "2048"], 4096)).toThrow(SettingsError);
    expect(check([off, "--max-num-batched-tokens", "2048"], 4096)).toThrow(/max_model_len 4096/);
    expect(check([off, "--max-num-batched-tokens", "4096"], 4096)).not.toThrow();
    expect(check(["--max-num-batched-tokens", "2048"], 4096)).not.toThrow();
    const few = ["--max-num-batched-tokens", "64"];
    expect(check([...few, "--max-num-seqs", "65"], 4096)).toThrow(/max-num-seqs 65/);
    expect(check([...few, "--max-num-seqs", "64"], 4096)).not.toThrow();
    expect(check(few, 4096)).not.toThrow(); // the number of sequences follows, as in vLLM
    expect(check(["--long-prefill-token-threshold", "4097"], 4096)).toThrow(/threshold 4097/);
    expect(check(["--long-prefill-token-threshold", "4096"], 4096)).not.toThrow();
  });
});
