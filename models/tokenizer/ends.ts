/**
 * Tokens that tokenizer_config.json wants around a text and tokenizer.json does not
 * add: `add_bos_token` and `add_eos_token`. A false there takes nothing away from what
 * tokenizer.json says, as in transformers 5.
 */
import { isObject } from "../config.ts";

/** As the vocabulary spells them; absent: none is added. */
export interface Ends {
  readonly before?: string;
  readonly after?: string;
}

export function addedEnds(config: Readonly<Record<string, unknown>>, postProcessor: unknown): Ends {
  const wanted = (flag: string, name: string): string | undefined => {
    const token = isObject(config[name]) ? config[name]["content"] : config[name];
    const asked = config[flag] === true && typeof token === "string";
    return asked && !adds(postProcessor, token) ? token : undefined;
  };
  const before = wanted("add_bos_token", "bos_token");
  const after = wanted("add_eos_token", "eos_token");
  return { ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
}

/** Does the post-processor put the token around a single text? */
function adds(processor: unknown, token: string): boolean {
  if (!isObject(processor)) return false;
  const { processors, single } = processor;
  if (Array.isArray(processors)) return processors.some((one) => adds(one, token));
  if (Array.isArray(single)) {
    return single.some((part) => {
      const special = isObject(part) ? part["SpecialToken"] : undefined;
      return isObject(special) && special["id"] === token;
    });
  }
  // BertProcessing and RobertaProcessing: `{ cls: [token, id], sep: [token, id] }`.
  return [processor["cls"], processor["sep"]].some(
    (pair) => Array.isArray(pair) && pair[0] === token,
  );
}
