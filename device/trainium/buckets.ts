/**
 * The three kinds of buckets that vLLM Neuron's neuron_config may name, with its rules
 * (reference-configuration.md, decode-context-length-bucketing.md).
 */
import type { StackSpec } from "./stacks/stack.ts";

interface Limits {
  readonly maxContext: number;
  readonly maxRows: number;
  readonly maxTokens: number;
}

/** Throws naming the key and the rule that it breaks. */
export function namedBuckets(
  neuron: Readonly<Record<string, unknown>>,
  { maxContext, maxRows, maxTokens }: Limits,
): Pick<StackSpec, "named"> {
  for (const key of ["attention_dp_degree", "cp_degree"]) {
    if (Number(neuron[key] ?? 1) > 1) throw new Error(`neuron_config.${key}: not modelled yet.`);
  }
  const tokens = listOf(neuron, "num_batched_tokens_buckets");
  const rows = listOf(neuron, "num_seqs_buckets");
  const contexts = listOf(neuron, "decode_context_length_buckets");
  const last = (list: readonly number[] | undefined, key: string, most: number): void => {
    if (list !== undefined && list.at(-1) !== most)
      throw new Error(
        `neuron_config.${key}: the last bucket must be ${most}, found ${list.at(-1)}.`,
      );
  };
  last(tokens, "num_batched_tokens_buckets", Math.min(maxTokens, maxContext));
  last(rows, "num_seqs_buckets", maxRows);
  if (contexts?.some((size) => size % 128 !== 0 || size >= maxContext)) {
    throw new Error(
      `neuron_config.decode_context_length_buckets: each must be a multiple of 128 below ${maxContext}.`,
    );
  }
  if (tokens === undefined && rows === undefined && contexts === undefined) return {};
  return {
    named: {
      ...(tokens !== undefined && { tokens }),
      ...(rows !== undefined && { rows }),
      ...(contexts !== undefined && { contexts }),
    },
  };
}

function listOf(
  neuron: Readonly<Record<string, unknown>>,
  key: string,
): readonly number[] | undefined {
  const value = neuron[key];
  if (value === undefined || value === null) return undefined;
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  const sizes = list.filter((its): its is number => Number.isSafeInteger(its) && Number(its) > 0);
  const ascending = sizes.every((size, index) => index === 0 || size > (sizes[index - 1] ?? 0));
  if (sizes.length === 0 || sizes.length !== list.length || !ascending)
    throw new Error(`neuron_config.${key} must be a list of whole numbers, ascending.`);
  return sizes;
}
