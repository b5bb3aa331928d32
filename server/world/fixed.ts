/** The answers of `--matches`, as ids of whoever speaks. */
import { FixedAnswers } from "../fixed/answers.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import type { Text } from "./text.ts";

/** Undefined: there are none. Throws SettingsError. */
export async function fixedAnswers(
  settings: Settings,
  { tokenizer, samples, defaults }: Text,
): Promise<FixedAnswers | undefined> {
  const { matches } = settings;
  if (matches === undefined) {
    if (settings["matches-only"]) throw new SettingsError("--matches-only needs --matches.");
    return undefined;
  }
  if (tokenizer === undefined || !samples) {
    throw new SettingsError(
      "--matches needs a tokenizer and a device that draws ids from logits (see --values; with words also --tokenizer).",
    );
  }
  const answers = new FixedAnswers(tokenizer, defaults.eosTokenIds[0]);
  try {
    await answers.add(matches);
  } catch (error) {
    throw new SettingsError(`--matches ${(error as Error).message}`); // it throws Errors
  }
  return answers;
}
