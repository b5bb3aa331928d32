/**
 * Decoders that are published without a language head, to embed (`Qwen3Model`) or under a head of
 * labels (`LlamaForSequenceClassification`): what is below the head is the family's own.
 */
const HEADLESS = /(?:ForSequenceClassification|Model)$/;

/** The family's class with a language head, by the name of one without; others as they are. */
export function causalClass(name: string): string {
  return name.replace(HEADLESS, "ForCausalLM");
}

/** Has the config's class a head of labels? */
export function classifies(config: Readonly<Record<string, unknown>>): boolean {
  const { architectures: names } = config;
  return Array.isArray(names) && names.some((name) => /ForSequenceClassification$/.test(name));
}
